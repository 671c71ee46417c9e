"""An offline judge of kong.yml: the facts of Kong's 3.9.3 schemas, for the entities and plugins that gwc writes.

Kong's own check needs a Kong, which continuous integration and most laptops lack. The facts are the fields, types,
bounds and enumerations that its Admin API reports for the `expressions` router; gwc_schema.json says the same of gwc's
own plugin.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from gwc.diagnostics import Diagnostic, Severity, Span
from gwc.parts import made
from gwc.target import Artifact, Assembled
from gwc_kong.facts import BESIDE_EXPRESSION, ROOT, TYPES, facts, needed, own_schema, unfilled
from gwc_kong.yaml_text import LOADER

_HINT = "this is a fault of gwc's Kong target, not of the policy: please report it with the policy"
_Path = tuple[str | int, ...]
_Complaint = tuple[_Path, str]


def judge(artifact: Artifact) -> tuple[Diagnostic, ...]:
    """What Kong's schemas would refuse of the emitted kong.yml, at the policy text behind it."""
    output = artifact.files["kong.yml"]
    if isinstance(output, Assembled) and all(made(piece).fit for piece in output.pieces()):
        return ()
    found = tuple(complaints(yaml.load(output.text, Loader=LOADER)))  # noqa: S506  a safe one
    root = yaml.compose(output.text, Loader=LOADER) if found else None
    return tuple(
        Diagnostic(_span(root, path, output.lines), "GWC603", Severity.ERROR, _message(path, fault), _HINT)
        for path, fault in found
    )


def _message(path: _Path, fault: str) -> str:
    return f"Kong's schema does not accept {'.'.join(map(str, path))} of kong.yml: {fault}"


def _span(node: yaml.Node | None, path: _Path, lines: Mapping[int, Span]) -> Span:
    """The policy text of the deepest line on the way to `path`."""
    number = 1
    for key in path:
        child = _child(node, key)
        if child is None:
            break
        node = child
        number = node.start_mark.line + 1
    known = [line for line in lines if line <= number]
    return lines[max(known)] if known else min(lines.values(), default=Span("kong.yml", 1, 1, 1, 1))


def _child(node: yaml.Node | None, key: str | int) -> yaml.Node | None:
    if isinstance(node, yaml.SequenceNode) and isinstance(key, int):
        item: yaml.Node = node.value[key]
        return item
    if isinstance(node, yaml.MappingNode):
        return next((value for name, value in node.value if name.value == key), None)
    return None


def complaints(document: Mapping[str, Any]) -> Iterator[_Complaint]:
    """Every fault with the path to it."""
    for key in document.keys() - ROOT:
        yield (key,), "unknown"
    if document.get("_format_version") != "3.0":
        yield ("_format_version",), "must be 3.0"
    for index, service in enumerate(document.get("services", [])):
        yield from _entity("services", service, ("services", index), nested="routes")
        for number, route in enumerate(service.get("routes", [])):
            yield from _route(route, ("services", index, "routes", number))
    for index, route in enumerate(document.get("routes", [])):
        yield from _route(route, ("routes", index))
    for index, plugin in enumerate(document.get("plugins", [])):
        yield from _plugin(plugin, ("plugins", index))
    yield from _duplicates(document)


def _entity(kind: str, entity: Mapping[str, Any], path: _Path, nested: str = "") -> Iterator[_Complaint]:
    fields = facts()["entities"][kind]
    yield from _record(fields, {k: v for k, v in entity.items() if k != nested}, path)


def _route(route: Mapping[str, Any], path: _Path) -> Iterator[_Complaint]:
    yield from _entity("routes", route, path)
    if "expression" not in route:
        yield path, "the expressions router needs an expression"
    for field in BESIDE_EXPRESSION:
        if route.get(field):
            yield (*path, field), "cannot stand beside an expression"


def _plugin(plugin: Mapping[str, Any], path: _Path) -> Iterator[_Complaint]:
    name = plugin.get("name")
    schema = own_schema() if name == "gwc" else facts()["plugins"].get(name)
    if schema is None:
        yield (*path, "name"), f"no facts of a plugin {name!r}"
        return
    yield from _entity("plugins", plugin, path, nested="config")
    yield from _value(schema, plugin.get("config", {}), (*path, "config"))


def _duplicates(document: Mapping[str, Any]) -> Iterator[_Complaint]:
    """Names are unique for each kind; and only one instance of a plugin fits into a scope."""
    services = document.get("services", [])
    routes = [route for service in services for route in service.get("routes", [])] + document.get("routes", [])
    for kind, entities in (("services", services), ("routes", routes), ("plugins", document.get("plugins", []))):
        times = Counter(str(entity.get("name")) for entity in entities)
        for name in sorted(name for name, count in times.items() if count > 1):
            yield (kind,), f"two are named {name!r}"


def _record(fields: Mapping[str, Any], record: Any, path: _Path) -> Iterator[_Complaint]:
    if not isinstance(record, Mapping):
        yield path, "must be a record"
        return
    for name in record.keys() - fields.keys():
        yield (*path, name), "unknown field"
    for name, spec in fields.items():
        if name in record:
            yield from _value(spec, record[name], (*path, name))
        elif needed(spec):
            yield (*path, name), "required"
        elif "config" in path[-1:] and unfilled(spec):
            yield (*path, name), "required, for Kong fills in the record that holds it"


def _value(spec: Mapping[str, Any], value: Any, path: _Path) -> Iterator[_Complaint]:
    kind, right = spec["type"], isinstance(value, TYPES[spec["type"]])
    if not right or (isinstance(value, bool) and kind != "boolean"):
        yield path, f"must be of type {kind}"
        return
    yield from ((path, fault) for fault in _bounds(spec, value))
    if kind == "record":
        yield from _record(spec["fields"], value, path)
    elif kind in ("array", "set"):
        for index, item in enumerate(value):
            yield from _value(spec["elements"], item, (*path, index))
    elif kind == "map":
        for key, item in value.items():
            yield from _value(spec["keys"], key, (*path, key))
            yield from _value(spec["values"], item, (*path, key))


def _bounds(spec: Mapping[str, Any], value: Any) -> Iterator[str]:
    if "between" in spec and not spec["between"][0] <= value <= spec["between"][1]:
        yield f"must be between {spec['between'][0]} and {spec['between'][1]}"
    if "gt" in spec and not value > spec["gt"]:
        yield f"must be greater than {spec['gt']}"
    if "one_of" in spec and value not in spec["one_of"]:
        yield f"must be one of {', '.join(map(str, spec['one_of']))}"
    if "starts_with" in spec and not value.startswith(spec["starts_with"]):
        yield f"must start with {spec['starts_with']}"
    if spec["type"] == "string" and len(value) < spec.get("len_min", 1):
        yield "must not be empty"
    if spec["type"] == "set" and len({json.dumps(item, sort_keys=True) for item in value}) < len(value):
        yield "must not hold an item twice"
