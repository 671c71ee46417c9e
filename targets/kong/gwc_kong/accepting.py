"""Whether the facts of Kong's schemas accept a document, without a word on why not: most documents are right.

`judge` explains, and takes its time for it. Each fact becomes a function once, and the document is asked as it was put
together, before it is text. That both agree, and that the text says what the document does, is tested.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from gwc_kong.facts import BESIDE_EXPRESSION, ROOT, TYPES, Fact, facts, needed, own_schema, unfilled
from gwc_kong.yaml_text import At

_Accepts = Callable[[Any], bool]
_BOUNDS = ("between", "gt", "one_of", "starts_with")


def accepted(document: Mapping[str, Any]) -> bool:
    """Whether Kong takes all of it. Values may be marked with the policy text that they came from."""
    services, routes = _items(document, "services"), _items(document, "routes")
    plugins = _items(document, "plugins")
    nested = [route for service in services for route in _items(service, "routes")]
    return (
        ROOT.issuperset(document)
        and _bare(document.get("_format_version")) == "3.0"
        and all(map(_entities("services", "routes"), services))
        and all(map(_route(), (*nested, *routes)))
        and all(map(_plugin, plugins))
        and all(map(_distinct, (services, (*nested, *routes), plugins)))
    )


def _bare(value: Any) -> Any:
    """Without its marks, and as the text will have it: a whole number is written as one."""
    while type(value) is At:
        value = value.value
    return int(value) if type(value) is float and value.is_integer() else value


def _items(holder: Mapping[str, Any], name: str) -> list[Any]:
    return [_bare(item) for item in _bare(holder.get(name, ()))]


def _distinct(entities: Iterable[Mapping[str, Any]]) -> bool:
    names = [str(_bare(entity.get("name"))) for entity in entities]
    return len(set(names)) == len(names)


def _entities(kind: str, nested: str = "") -> _Accepts:
    return _record(facts()["entities"][kind], apart=nested)


def _route() -> _Accepts:
    entity = _entities("routes")

    def accepts(route: Mapping[str, Any]) -> bool:
        beside = any(_bare(route.get(name)) for name in BESIDE_EXPRESSION)
        return entity(route) and "expression" in route and not beside

    return accepts


def _plugin(plugin: Mapping[str, Any]) -> bool:
    name = _bare(plugin.get("name"))
    schema = own_schema() if name == "gwc" else facts()["plugins"].get(name)
    if schema is None:
        return False
    return _entities("plugins", "config")(plugin) and _value(schema, config=True)(plugin.get("config", {}))


def _value(fact: Fact, config: bool = False) -> _Accepts:
    """`config`: whether the value is a plugin's configuration, of which Kong fills in records."""
    kind = fact["type"]
    inner = _inside(fact, kind, config)
    right, boolean = _types(kind), kind == "boolean"
    bounded = _bounded(fact, kind)

    def accepts(value: Any) -> bool:
        value = _bare(value)
        if not isinstance(value, right) or (value is True or value is False) is not boolean:
            return False
        return (bounded is None or bounded(value)) and (inner is None or inner(value))

    return accepts


def _types(kind: str) -> tuple[type, ...]:
    """In a document that is still being put together a sequence may be a tuple."""
    return (*TYPES[kind], tuple) if list in TYPES[kind] else TYPES[kind]


def _inside(fact: Fact, kind: str, config: bool) -> _Accepts | None:
    if kind == "record":
        return _record(fact["fields"], config=config)
    if kind in ("array", "set"):
        element = _value(fact["elements"])
        return lambda items: all(map(element, items))
    if kind == "map":
        key, value = _value(fact["keys"]), _value(fact["values"])
        return lambda entries: all(map(key, entries)) and all(map(value, entries.values()))
    return None


def _record(fields: Mapping[str, Fact], apart: str = "", config: bool = False) -> _Accepts:
    """`apart` is a field that is judged elsewhere."""
    told = {name: fact for name, fact in fields.items() if name != apart}
    known = {name: _value(fact, config=name == "config") for name, fact in told.items()}
    lacking = [name for name, fact in told.items() if needed(fact) or (config and unfilled(fact))]

    def accepts(record: Mapping[str, Any]) -> bool:
        for name, value in record.items():
            if name != apart and (name not in known or not known[name](value)):
                return False
        return all(name in record for name in lacking)

    return accepts


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
