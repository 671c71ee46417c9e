"""JSON as people and version control read it: what fits on a line stands on one."""

from __future__ import annotations

import json
from typing import Any

_WIDTH = 160


def render(node: Any) -> str:
    lines: list[str] = []
    _print(node, 0, "", "", lines)
    return "\n".join(lines) + "\n"


def _print(node: Any, depth: int, lead: str, tail: str, lines: list[str]) -> None:
    """Adds the lines of `node`; `lead` stands before the first of them, `tail` behind the last."""
    pad = " " * depth
    if not isinstance(node, dict | list) or _room(node, _WIDTH) >= 0:
        lines.append(f"{pad}{lead}{json.dumps(node)}{tail}")
        return
    opening, closing = "{}" if isinstance(node, dict) else "[]"
    lines.append(f"{pad}{lead}{opening}")
    entries = list(node.items()) if isinstance(node, dict) else [(None, value) for value in node]
    for number, (key, value) in enumerate(entries, 1):
        before = "" if key is None else f"{json.dumps(key)}: "
        _print(value, depth + 1, before, "," if number < len(entries) else "", lines)
    lines.append(f"{pad}{closing}{tail}")


def _room(node: Any, room: int) -> int:
    """What is left of `room` behind `node`, below zero as soon as there is none."""
    if isinstance(node, str):
        return room - len(node) - 2
    if not isinstance(node, dict | list):
        return room - len(str(node))
    for entry in node.items() if isinstance(node, dict) else node:
        key, value = entry if isinstance(node, dict) else ("", entry)
        room = _room(value, room - len(key) - 4)
        if room < 0:
            break
    return room
