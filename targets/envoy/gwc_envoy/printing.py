"""JSON as people and version control read it: what fits on a line stands on one.

One walk, from the leaves up: what is inside is written once, and whoever holds it only says whether it fits. This is
the innermost loop of a compile, so it asks for types by identity, and what many routes share (`xds.Shared`) is printed
once for each indent.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from json.encoder import encode_basestring_ascii as _quoted
from typing import Any

from gwc_envoy.shared import Shared, SharedList

WIDTH = 160
"""Of a line without its indent, as if no character needed an escape."""
_BETWEEN = 4
"""What stands between two entries, counted generously."""

_Written = tuple[str, int]
"""A value's text, whose first line has no indent, and its width: more than WIDTH if it has several lines."""


def render(node: Any) -> str:
    return f"{printed(node, '')}\n"


def printed(node: Any, pad: str) -> str:
    """A value on a line whose indent is `pad`: without it, and without the line's end."""
    return _entry(node, f"{pad} ")[0]


def width(node: Any) -> int:
    """More than WIDTH if the value does not fit on a line."""
    return _entry(node, " ")[1]


def _entry(node: Any, pad: str) -> _Written:
    """`pad` is the indent of what the value holds."""
    return _WRITERS.get(type(node), _other)(node, pad)


def _other(node: Any, pad: str) -> _Written:
    for kind in (str, dict, list):
        if isinstance(node, kind):
            return _WRITERS[kind](node, pad)
    return json.dumps(node), len(str(node))


def _text(node: str, _pad: str) -> _Written:
    return _quoted(node), len(node) + 2


def _number(node: int, _pad: str) -> _Written:
    return str(node), len(str(node))


def _shared(node: Shared | SharedList, pad: str) -> _Written:
    known = node.printed.get(pad)
    if known is None:
        known = node.printed[pad] = _mapping(node, pad) if isinstance(node, Shared) else _sequence(node, pad)
    return known


@lru_cache(maxsize=4096)
def lead_of(key: str) -> str:
    return f"{_quoted(key)}: "


def _mapping(node: Mapping[str, Any], pad: str) -> _Written:
    taken, inner = _BETWEEN * len(node), f"{pad} "
    entries: list[str] = []
    for key, value in node.items():
        if type(value) is str:
            entries.append(f"{lead_of(key)}{_quoted(value)}")
            taken += len(key) + len(value) + 2
        else:
            written, inside = _WRITERS.get(type(value), _other)(value, inner)
            entries.append(f"{lead_of(key)}{written}")
            taken += len(key) + inside
    if taken <= WIDTH:
        return f"{{{', '.join(entries)}}}", taken
    return _spread(entries, pad, "{}"), WIDTH + 1


def _sequence(node: Sequence[Any], pad: str) -> _Written:
    taken, inner = _BETWEEN * len(node), f"{pad} "
    entries: list[str] = []
    for value in node:
        written, inside = _WRITERS.get(type(value), _other)(value, inner)
        entries.append(written)
        taken += inside
    if taken <= WIDTH:
        return f"[{', '.join(entries)}]", taken
    return _spread(entries, pad, "[]"), WIDTH + 1


def _spread(texts: list[str], pad: str, brackets: str) -> str:
    between = f",\n{pad}"
    return f"{brackets[0]}\n{pad}{between.join(texts)}\n{pad[1:]}{brackets[1]}"


_WRITERS: dict[type, Callable[[Any, str], _Written]] = {
    dict: _mapping,
    list: _sequence,
    Shared: _shared,
    SharedList: _shared,
    str: _text,
    int: _number,
}
