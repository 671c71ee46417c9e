"""Parts of a Gateway straight to JSON: the text that `gwc.ir_json` comes to without places, in a tenth of its time.

That the two agree is shown over all policies that the tests have and generate (tests/property/test_record.py).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from datetime import date
from enum import Enum, StrEnum
from json.encoder import encode_basestring_ascii as _quoted
from math import isfinite
from operator import attrgetter
from typing import Any

from gwc import ir
from gwc.ir import Auth, Cache, Cors, HeaderChanges, PathTemplate, Retries, Timeouts

_Printer = Callable[[Any], str]

_RECURRING = (Auth, Timeouts, Retries, Cors, HeaderChanges, Cache)
"""Sections whose values most routes share (`gwc.resolve.memory`): what was printed is kept."""

_KEPT = 512
"""Texts of each of these, at most."""


def to_text(value: object) -> str:
    """`value`, any part of a Gateway, on one line. TypeError: it is no part of one."""
    return _PRINTERS[type(value)](value)


class _Printers(dict[type, _Printer]):
    def __missing__(self, kind: type) -> _Printer:
        self[kind] = found = _printer(kind)
        return found


def _printer(kind: type) -> _Printer:
    if issubclass(kind, PathTemplate):
        return lambda path: _quoted(path.text)
    if issubclass(kind, StrEnum):
        return _quoted
    if issubclass(kind, Enum):
        return {member: to_text(member.value) for member in kind}.__getitem__
    if is_dataclass(kind):
        return _recurring(kind) if kind in _RECURRING else _object(kind)
    if issubclass(kind, Mapping):
        return _mapping
    if issubclass(kind, tuple | list):
        return _array
    if issubclass(kind, date):
        return lambda day: _quoted(day.isoformat())
    if issubclass(kind, str | int | float):
        return json.dumps
    raise TypeError(f"{kind.__name__} is not part of the IR")


def _mapping(items: Mapping[Any, object]) -> str:
    return "{" + ", ".join([f"{_quoted(str(key))}: {to_text(items[key])}" for key in sorted(items)]) + "}"


def _array(items: Iterable[object]) -> str:
    return "[" + ", ".join([_PRINTERS[type(item)](item) for item in items]) + "]"


def _object(kind: type) -> _Printer:
    texts, values = _fields(kind)

    def printed(node: object) -> str:
        filled = texts.copy()
        filled[1::2] = [_PRINTERS[type(value)](value) for value in values(node)]
        return "".join(filled)

    return printed


def _recurring(kind: type) -> _Printer:
    """Nodes that share their values are known by these, which are kept with the text. Equal ones are not the same: 1,
    1.0 and True are equal, too, but not in JSON."""
    plainly = _object(kind)
    kept: dict[int, tuple[object, str]] = {}

    def printed(node: object) -> str:
        values = node.__dict__
        if (known := kept.get(id(values))) is None:
            if len(kept) >= _KEPT:
                kept.clear()
            known = kept[id(values)] = (values, plainly(node))
        return known[1]

    return printed


def _fields(kind: type) -> tuple[list[str], Callable[[object], tuple[object, ...]]]:
    """The text of a node, of which every second item is a hole for a value, and the values of one."""
    template, names = _holes(kind)
    texts = re.split("(%s)", template)
    if len(names) > 1:
        return texts, attrgetter(*names)
    return texts, lambda node: tuple(getattr(node, name) for name in names)


def _holes(kind: Any) -> tuple[str, list[str]]:
    """The values of a node that is always there are holes of the one that holds it."""
    items, names = [], []
    for one in fields(kind):
        if one.name != "provenance":
            inner = getattr(ir, str(one.type), None)
            template, below = _inner(inner) if is_dataclass(inner) and inner not in _RECURRING else ("%s", [])
            items.append(f'"{one.name}": {template}')
            names += [f"{one.name}.{name}" for name in below] or [one.name]
    return "{" + ", ".join(items) + "}", names


def _inner(kind: Any) -> tuple[str, list[str]]:
    return ("%s", ["text"]) if kind is PathTemplate else _holes(kind)


_SCALARS: dict[type, _Printer] = {
    str: _quoted,
    int: int.__repr__,
    float: lambda value: float.__repr__(value) if isfinite(value) else json.dumps(value),
    bool: {True: "true", False: "false"}.__getitem__,
    type(None): {None: "null"}.__getitem__,
}

_PRINTERS = _Printers(_SCALARS)
