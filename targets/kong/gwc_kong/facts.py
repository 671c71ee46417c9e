"""What Kong 3.9.3 says of its entities and plugins, and gwc_schema.json of gwc's own: fields, types, bounds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

Fact = Mapping[str, Any]

ROOT = frozenset({"_format_version", "services", "routes", "plugins"})
BESIDE_EXPRESSION = (
    *("methods", "hosts", "paths", "headers"),
    *("snis", "sources", "destinations", "regex_priority"),
)
"""What the expressions router takes for nothing beside an expression."""

TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "array": (list,),
    "set": (list,),
    "map": (dict,),
    "record": (dict,),
    "foreign": (dict, str),
}


@cache
def facts() -> Fact:
    return _data("facts.json")


@cache
def own_schema() -> Fact:
    return _data("gwc_schema.json")


def _data(name: str) -> Fact:
    data: Fact = json.loads(files("gwc_kong").joinpath(name).read_text(encoding="utf-8"))
    return data


def needed(fact: Fact) -> bool:
    """Whether a field may not be left out."""
    return bool(fact.get("required")) and "default" not in fact


def unfilled(fact: Fact) -> bool:
    """Whether Kong, which makes an empty record of one that a plugin's configuration lacks, then misses something."""
    return fact["type"] == "record" and any(map(needed, fact["fields"].values()))
