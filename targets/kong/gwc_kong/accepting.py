"""Whether the facts of Kong's schemas accept an entity, without a word on why not: most are right.

`judge` explains, and takes its time for it. Each fact becomes a function once, and an entity is asked as it was put
together, before it is text; what is shared is asked once. That both agree, and that the text says what the entity
does, is tested.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from itertools import chain
from typing import Any

from gwc_kong.facts import BESIDE_EXPRESSION, TYPES, Fact, facts, needed, own_schema, unfilled
from gwc_kong.sharing import Record, Shared, bare

_Accepts = Callable[[Any], bool]
_BOUNDS = ("between", "gt", "one_of", "starts_with")


def service_accepted(service: Any) -> bool:
    """Whether Kong takes a service and its routes. All values may be marked with where they came from."""
    plain = _bare(service)
    return _entity("services", apart="routes")(plain) and all(map(route_accepted, _bare(plain["routes"])))


def route_accepted(route: Any) -> bool:
    names = _entity("routes").names(_bare(route))
    if names is None or not _entity("routes").complete(names) or not any("expression" in piece for piece in names):
        return False
    beside = _beside(names)
    return not beside or not any(_bare(_bare(route)[name]) for name in beside)


@lru_cache(maxsize=256)
def _beside(names: _Names) -> tuple[str, ...]:
    return tuple(name for name in chain(*names) if name in BESIDE_EXPRESSION)


def plugin_accepted(plugin: Any) -> bool:
    config = _config(_bare(plugin["name"]))
    return config is not None and _entity("plugins", apart="config")(plugin) and config(plugin.get("config", {}))


@cache
def _config(name: str) -> _Accepts | None:
    schema = own_schema() if name == "gwc" else facts()["plugins"].get(name)
    return None if schema is None else _value(schema, config=True)


def plugin_routes_accepted(routes: Mapping[str, Any]) -> bool:
    """Whether gwc's own plugin takes these of its routes."""
    return _own_routes()(routes)


@cache
def _own_routes() -> _Accepts:
    return _value(own_schema()["fields"]["routes"])


def _bare(value: Any) -> Any:
    """Without its marks, and as the text will have it: a whole number is written as one."""
    value = bare(value)
    return int(value) if type(value) is float and value.is_integer() else value


@cache
def _entity(kind: str, apart: str = "") -> _Record:
    return _Record(facts()["entities"][kind], apart=apart)


def _value(fact: Fact, config: bool = False) -> _Accepts:
    """`config`: whether the value is a plugin's configuration, of which Kong fills in records."""
    kind = fact["type"]
    inner = _inside(fact, kind, config)
    right, boolean = _types(kind), kind == "boolean"
    bounded = _bounded(fact, kind)

    def accepts(value: Any) -> bool:
        if type(value) not in right:  # which is sooner told than what follows
            value = _bare(value)
            if not isinstance(value, right) or (value is True or value is False) is not boolean:
                return False
        return (bounded is None or bounded(value)) and (inner is None or inner(value))

    if kind == "string" and fact.keys().isdisjoint((*_BOUNDS, "len_min")):
        return lambda value: value != "" if type(value) is str else accepts(value)
    exact = _EXACT.get(kind)
    return lambda value: (bounded is None or bounded(value)) if type(value) is exact else accepts(value)


_EXACT: Mapping[str, type] = {"string": str, "boolean": bool, "integer": int}
"""What is right as it is, and so quickly told."""


def _types(kind: str) -> tuple[type, ...]:
    """Of a document that is still being put together."""
    further: tuple[type, ...] = (tuple,) if list in TYPES[kind] else ()
    return (*TYPES[kind], *further, *((Shared, Record) if dict in TYPES[kind] else ()))


def _inside(fact: Fact, kind: str, config: bool) -> _Accepts | None:
    if kind == "record":
        return _Record(fact["fields"], config=config)
    if kind in ("array", "set"):
        element = _value(fact["elements"])
        return lambda items: all(map(element, items))
    if kind == "map":
        key, value = _value(fact["keys"]), _value(fact["values"])
        return lambda entries: all(map(key, entries)) and all(map(value, entries.values()))
    return None


_Names = tuple[tuple[str, ...], ...]
"""Of a record's fields, by its pieces."""


class _Record:
    """Whether a record is right: what it has, and that it has all that it needs."""

    def __init__(self, fields: Mapping[str, Fact], apart: str = "", config: bool = False) -> None:
        """`apart` is a field that is judged elsewhere."""
        told = {name: fact for name, fact in fields.items() if name != apart}
        self._apart = apart
        self._known = {name: _value(fact, config=name == "config") for name, fact in told.items()}
        self._lacking = {name for name, fact in told.items() if needed(fact) or (config and unfilled(fact))}
        self.complete = lru_cache(maxsize=256)(self._complete)

    def __call__(self, record: Mapping[str, Any]) -> bool:
        names = self.names(record)
        return names is not None and self.complete(names)

    def names(self, record: Mapping[str, Any]) -> _Names | None:
        """None where one of the fields is not right."""
        pieces = record.pieces if type(record) is Record else (record,)
        found = [piece.known(self, self._right) if type(piece) is Shared else self._right(piece) for piece in pieces]
        return None if None in found else tuple(found)  # type: ignore[arg-type]  # mypy does not see the other half

    def _right(self, piece: Mapping[str, Any]) -> tuple[str, ...] | None:
        for name, value in piece.items():
            if name != self._apart and (name not in self._known or not self._known[name](value)):
                return None
        return tuple(piece)

    def _complete(self, names: _Names) -> bool:
        every = set(chain(*names))
        return self._lacking <= every and len(every) == sum(map(len, names))


def _bounded(fact: Fact, kind: str) -> _Accepts | None:
    if kind == "set":
        return lambda items: len({_text(item) for item in items}) == len(items)
    least = fact.get("len_min", 1) if kind == "string" else 0
    if not any(name in fact for name in _BOUNDS):
        return (lambda text: len(text) >= least) if kind == "string" else None
    low, high = fact.get("between", (None, None))

    def within(value: Any) -> bool:
        return (
            (low is None or low <= value <= high)
            and ("gt" not in fact or value > fact["gt"])
            and ("one_of" not in fact or value in fact["one_of"])
            and ("starts_with" not in fact or value.startswith(fact["starts_with"]))
            and (kind != "string" or len(value) >= least)
        )

    return within


def _text(item: Any) -> str:
    return json.dumps(_bare(item), sort_keys=True)
