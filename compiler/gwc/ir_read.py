"""JSON -> Gateway: the way back from `gwc.ir_json`, by the types of the IR's own fields."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import fields
from datetime import date
from enum import Enum
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from gwc.ir import Gateway, Node, PathTemplate
from gwc.policy.paths import parse_path
from gwc.units import Rate


def gateway_from(data: object) -> Gateway:
    """Raises ValueError for anything that no Gateway looks like in JSON."""
    found = _value(Gateway, data)
    assert isinstance(found, Gateway)
    return found


@cache
def _hints(kind: type) -> dict[str, Any]:
    return {name: hint for name, hint in get_type_hints(kind).items() if name != "provenance"}


def _value(kind: Any, data: Any) -> Any:
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return None if data is None else _value(next(one for one in get_args(kind) if one is not type(None)), data)
    if origin is tuple:
        return _tuple(get_args(kind), data)
    if origin is Literal:
        return _expected(data, data in get_args(kind))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        items = _expected(data, isinstance(data, dict)).items()
        return {name: _value(get_args(kind)[1], item) for name, item in items}
    return _single(kind, data)


def _single(kind: Any, data: Any) -> Any:
    if issubclass(kind, Node) or kind is Rate:
        return _node(kind, data)
    if kind is PathTemplate:
        return parse_path(_expected(data, isinstance(data, str)))
    if kind is date:
        return date.fromisoformat(_expected(data, isinstance(data, str)))
    if issubclass(kind, Enum):
        return kind(data)
    if kind is float:
        return float(_expected(data, type(data) in (int, float)))
    return _expected(data, type(data) is kind)


def _node(kind: Any, data: Any) -> Any:
    hints = _hints(kind)
    wanted = {one.name for one in fields(kind) if one.name in hints}
    _expected(data, isinstance(data, dict) and wanted == data.keys())
    return kind(**{name: _value(hints[name], data[name]) for name in wanted})


def _tuple(members: tuple[Any, ...], data: Any) -> tuple[Any, ...]:
    items = _expected(data, isinstance(data, list))
    if members[-1:] == (Ellipsis,):
        return tuple(_value(members[0], item) for item in items)
    _expected(data, len(items) == len(members))
    return tuple(_value(kind, item) for kind, item in zip(members, items, strict=True))


def _expected(data: Any, holds: bool) -> Any:
    if not holds:
        raise ValueError("this is not what a Gateway looks like")
    return data
