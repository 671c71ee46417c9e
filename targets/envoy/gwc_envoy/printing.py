"""JSON as people and version control read it: what fits on a line stands on one.

One walk, from the leaves up: what is inside is written once, and whoever holds it only says whether it fits. This is
the innermost loop of a compile, so it asks for types by identity and calls itself for what holds something alone.
"""

from __future__ import annotations

import json
from functools import lru_cache
from json.encoder import encode_basestring_ascii as _quoted
from typing import Any

_WIDTH = 160
"""Of a line without its indent, as if no character needed an escape."""
_BETWEEN = 4
"""What stands between two entries, counted generously."""

_Written = str | list[str]
"""One line, or several, of which the first is without indent and the last without a comma."""


def render(node: Any) -> str:
    written, _ = _entry(node, " ")
    lines = [written] if type(written) is str else [*written]
    return "\n".join((*lines, ""))


def _entry(node: Any, pad: str) -> tuple[_Written, int]:
    """A value and its width; `pad` is the indent of what it holds."""
    if type(node) is dict:
        return _mapping(node, pad)
    if type(node) is list:
        return _sequence(node, pad)
    if isinstance(node, str):
        return _quoted(node), len(node) + 2
    if isinstance(node, dict | list):
        return _mapping(node, pad) if isinstance(node, dict) else _sequence(node, pad)
    return json.dumps(node), len(str(node))


@lru_cache(maxsize=4096)
def _lead(key: str) -> str:
    return f"{_quoted(key)}: "


def _mapping(node: dict[str, Any], pad: str) -> tuple[_Written, int]:
    width, short, inner = _BETWEEN * len(node), True, f"{pad} "
    entries: list[tuple[str, _Written]] = []
    for key, value in node.items():
        if type(value) is str:
            written: _Written = _quoted(value)
            width += len(key) + len(value) + 2
        else:
            written, taken = _entry(value, inner)
            width += len(key) + taken
            short = short and type(written) is str
        entries.append((_lead(key), written))
    if short and width <= _WIDTH:
        return f"{{{', '.join([f'{lead}{written}' for lead, written in entries])}}}", width
    return _spread(entries, pad, "{}"), _WIDTH + 1


def _sequence(node: list[Any], pad: str) -> tuple[_Written, int]:
    inner = f"{pad} "
    held = [_entry(item, inner) for item in node]
    width = _BETWEEN * len(node) + sum([taken for _, taken in held])
    texts = [written for written, _ in held if type(written) is str]
    if len(texts) == len(held) and width <= _WIDTH:
        return f"[{', '.join(texts)}]", width
    return _spread([("", written) for written, _ in held], pad, "[]"), _WIDTH + 1


def _spread(entries: list[tuple[str, _Written]], pad: str, brackets: str) -> list[str]:
    lines = [brackets[0]]
    for lead, written in entries:
        if type(written) is str:
            lines.append(f"{pad}{lead}{written},")
        else:
            lines.append(f"{pad}{lead}{written[0]}")
            lines += written[1:-1]
            lines.append(f"{written[-1]},")
    lines[-1] = lines[-1][:-1]
    lines.append(f"{pad[1:]}{brackets[1]}")
    return lines
