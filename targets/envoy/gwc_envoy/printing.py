"""JSON as people and version control read it: what fits on a line stands on one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

_WIDTH = 160


def render(node: Any) -> str:
    return "\n".join(_lines(node, 0, "")) + "\n"


def _lines(node: Any, depth: int, lead: str) -> Iterator[str]:
    """The lines of `node`; `lead` stands before its first one."""
    flat = json.dumps(node)
    if len(flat) <= _WIDTH or not isinstance(node, dict | list):
        yield f"{' ' * depth}{lead}{flat}"
        return
    opening, closing = "{}" if isinstance(node, dict) else "[]"
    yield f"{' ' * depth}{lead}{opening}"
    entries = list(node.items()) if isinstance(node, dict) else [(None, value) for value in node]
    for number, (key, value) in enumerate(entries):
        *before, last = _lines(value, depth + 1, "" if key is None else f"{json.dumps(key)}: ")
        yield from before
        yield last if number == len(entries) - 1 else f"{last},"
    yield f"{' ' * depth}{closing}"
