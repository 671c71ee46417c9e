"""docs/reference.md: every field of the language, from the models, the defaults that resolving uses, and the tables."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import accept
from gwc.compile import compile_sources
from gwc.diagnostics import Report
from gwc.discovery import load_targets
from gwc.explain.values import written
from gwc.features import FEATURES
from gwc.ir import Gateway, Level
from gwc.leaves import leaves, origin, spelled
from gwc.policy.bounds import BOUND_NAMES
from gwc.policy.schema import json_schema
from gwc.report.matrix import promises
from gwc.source import Source, read_policies
from gwc.support import Fidelity, SupportTable

HEAD = """---
hide: [toc]
---

# Every field

Made from the models of the language, which the editor's schema is made of, too. **Type** and **default** are what the
compiler checks and what it takes where nobody says anything. Where several levels may write a field, the most specific
one wins. *Bounded*: the platform may set a bound. The last columns are [what each gateway keeps](support.md),
in its default profile: ✓ exact, ≈ approximate, ✕ unsupported, * depends on the value.

"""
SECTIONS = ("auth", "timeouts", "retries", "max_body", "cors", "headers", "cache")


@dataclass(frozen=True, slots=True)
class Part:
    """A table: the fields below `model`, with `before` in front of them, but for those that another part explains."""

    title: str
    model: str
    level: str
    before: str = ""
    elsewhere: tuple[str, ...] = ()


PARTS = (
    Part("The platform", "PlatformPolicy", "platform", elsewhere=("defaults", "bounds", "limits", "environments")),
    Part("A service", "ServicePolicy", "service", elsewhere=(*SECTIONS, "routes", "limits", "environments")),
    Part("A route", "RoutePolicy", "route", elsewhere=(*SECTIONS, "limits")),
    Part("Sections of every level", "Sections", "the platform's `defaults`, service, route"),
    Part("A limit", "LimitPolicy", "platform, service and route; they add up", "limits."),
    Part("Bounds", "BoundsPolicy", "platform", "bounds."),
)
_UNITS = {"ms|s|m|h|d": "duration", "KiB|MiB": "size", "min|minute": "rate", r"%$": "share"}
_MARKS = {Fidelity.EXACT: "✓", Fidelity.APPROXIMATE: "≈", Fidelity.UNSUPPORTED: "✕"}
_FEATURES = {
    "limits.per": ("limits.ip", "limits.user", "limits.service", "limits.header"),
    "limits.rate": ("limits.ip", "limits.user", "limits.service", "limits.header"),
    "limits.burst": ("limits.ip", "limits.user", "limits.service", "limits.header"),
    "limits.mode": ("limits.shadow",),
    "upstream.endpoints.url": ("upstream.dns",),
    "limits.scope": ("limits.cluster",),
    "rate_limit_store": ("limits.cluster",),
    "identity.api_key": ("auth.api_key",),
    "identity.jwt": ("auth.jwt",),
}
"""Where neither the Gateway nor the name says which feature it is."""


_SAID = {"listen": "`{http: 8080}`", "cors.methods": "the route's", "limits.burst": "the rate's number"}
"""Defaults that are no single value."""
_ANY = ("team-assistant", "assistant", "X-Team")
"""Examples of texts that may be anything."""


@dataclass(frozen=True, slots=True)
class Row:
    field: str
    schema: Mapping[str, Any]
    required: bool


def reference() -> str:
    """The page."""
    tables = [one.target.support(one.target.profiles[0]) for one in load_targets(())]
    return HEAD + "\n".join(_part(part, tables) for part in PARTS)


def _part(part: Part, tables: list[SupportTable]) -> str:
    names = " | ".join(table.target for table in tables)
    head = f"| field | type | default | meaning | {names} |\n|{'---|' * (4 + len(tables))}\n"
    rows = (_line(row, tables) for row in _rows(part.model, part.before, part.elsewhere))
    return f"## {part.title}\n\nLevel: {part.level}.\n\n{head}{''.join(rows)}"


def _line(row: Row, tables: list[SupportTable]) -> str:
    bounded = " *Bounded.*" if row.field in BOUND_NAMES else ""
    cells = (
        f"`{row.field}`",
        _type(row.schema),
        "**required**" if row.required else _default(row),
        row.schema.get("description", "") + bounded,
        *(_kept(row.field, table) for table in tables),
    )
    return f"| {' | '.join(cells)} |\n"


def _rows(model: str, before: str, elsewhere: tuple[str, ...] = ()) -> Iterator[Row]:
    definition = _definitions()[model]
    for key, schema in definition["properties"].items():
        if key in elsewhere:
            continue
        yield Row(before + key, schema, key in definition.get("required", ()))
        for inner in dict.fromkeys(_models(schema)):
            yield from _rows(inner, f"{before}{key}.")


def _models(schema: Mapping[str, Any]) -> Iterator[str]:
    """The mappings that the value is made of: itself, its items, its values, or one of several forms."""
    if "$ref" in schema:
        yield schema["$ref"].rpartition("/")[2]
    parts = [schema.get("items"), *schema.get("patternProperties", {}).values()]
    for part in (*schema.get("oneOf", ()), *schema.get("anyOf", ()), *(part for part in parts if part)):
        if "$ref" in part or "items" in part:
            yield from _models(part)


@cache
def _definitions() -> Mapping[str, Any]:
    found: Mapping[str, Any] = json_schema()["$defs"]
    return found


def _type(schema: Mapping[str, Any]) -> str:
    for key in ("oneOf", "anyOf"):
        if key in schema:
            return " or ".join(dict.fromkeys(map(_type, schema[key])))
    if "$ref" in schema or "patternProperties" in schema:
        return "mapping"
    if "const" in schema or "enum" in schema:
        return " \\| ".join(f"`{value}`" for value in schema.get("enum", [schema.get("const")]))
    if schema.get("type") == "array":
        return f"list of {_type(schema['items'])}"
    return _scalar(schema)


def _scalar(schema: Mapping[str, Any]) -> str:
    unit = next((unit for part, unit in _UNITS.items() if part in schema.get("pattern", "")), None)
    if unit:
        return unit
    if schema.get("type") == "integer":
        ends = (schema.get("minimum"), schema.get("maximum"))
        return "number" if None in ends else f"number, {ends[0]} to {ends[1]}"
    example = next((one for one in schema.get("examples", ()) if one not in _ANY), None)
    if schema.get("format") == "date":
        return "date"
    return {"boolean": "true \\| false", "string": "text"}.get(schema["type"], schema["type"]) + (
        f", as in `{example}`" if example else ""
    )


def _default(row: Row) -> str:
    if row.field in _SAID:
        return _SAID[row.field]
    value = row.schema.get("default")
    if isinstance(value, dict):
        return ""  # of a mapping: each of its keys says its own
    if value not in (None, "", []):
        return f"`{json.dumps(value) if not isinstance(value, str) else value}`"
    found = _built_in().get(row.field, "")
    return f"`{found}`" if found not in ("", "none", "[]") else ""


@cache
def _built_in() -> Mapping[str, str]:
    """What resolving takes for each field that a minimal gateway leaves out."""
    gateway = _compiled([Source("platform.yaml", _PLATFORM), Source("service.yaml", _SERVICE)])
    found = {}
    for leaf in leaves(gateway):
        where = origin(gateway, leaf)
        if where is not None and where.level is Level.DEFAULT:
            found.setdefault(spelled(leaf.name), written(leaf))
    return found


_PLATFORM = "apiVersion: gwc/v1\nkind: Platform\nlisten: {http: 8080}\n"
_SERVICE = """apiVersion: gwc/v1
kind: Service
service: least
upstream: http://127.0.0.1:8000
auth: none
cors: {origins: ["https://app.example.com"]}
cache: {ttl: 1h}
routes: [{name: one, path: /, methods: [GET]}]
"""


def _kept(field: str, table: SupportTable) -> str:
    entries = [table.entries[name] for name in _features(field)]
    every = [promise.support.fidelity for entry in entries for promise in promises(entry)]
    usual = [promises(entry)[0].support.fidelity for entry in entries]
    if not usual:
        return ""
    worst = max(usual, key=tuple(Fidelity).index)
    return _MARKS[worst] + ("\\*" if set(every) != {worst} else "")


def _features(field: str) -> tuple[str, ...]:
    """Those that answer for the field: by its place in a Gateway, or the longest beginning of its name."""
    if field.startswith("bounds."):
        return ()
    if field in _FEATURES:
        return _FEATURES[field]
    owned = _owners().get(field)
    parts = field.split(".")
    names = [".".join(parts[:end]) for end in range(len(parts), 0, -1)]
    return owned or next((_FEATURES.get(name, (name,)) for name in names if name in FEATURES or name in _FEATURES), ())


@cache
def _owners() -> Mapping[str, tuple[str, ...]]:
    """Of a gateway that uses every field."""
    policies = Path(__file__).parents[1] / "tests/maximal"
    found: dict[str, dict[str, None]] = {}
    for leaf in leaves(_compiled(list(read_policies(str(policies), Report())))):
        if leaf.value not in (None, ()) and leaf.limit is None and (owner := leaf.owner) is not None:
            found.setdefault(spelled(leaf.name), {})[owner] = None
    return {field: tuple(owners) for field, owners in found.items()}


def _compiled(sources: list[Source]) -> Gateway:
    report = Report()
    gateway = compile_sources(sources, environment=None, now=accept.NOW, report=report)
    assert gateway is not None, report.diagnostics
    return gateway
