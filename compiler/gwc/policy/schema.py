"""The language as a JSON Schema (2020-12), for editors."""

from __future__ import annotations

from functools import cache
from typing import Any

from pydantic.json_schema import models_json_schema

from gwc.policy.identity import JwtPolicy
from gwc.policy.meanings import meaning
from gwc.policy.platform import PlatformPolicy
from gwc.policy.service import ServicePolicy
from gwc.policy.types import MAX_ENVIRONMENTS

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema(kind: str | None = None) -> dict[str, Any]:
    """One schema for both kinds, chosen by `kind`; or that of "platform" or "service" alone."""
    # JwtPolicy is named here because only a hand-written schema refers to it: one issuer or a list of them.
    models = (PlatformPolicy, ServicePolicy, JwtPolicy)
    _, schema = models_json_schema([(model, "validation") for model in models], by_alias=True)
    definitions = schema["$defs"]
    for definition in definitions.values():
        tidy(definition)
    _short_upstream(definitions)
    _explain(definitions)
    _overlay(definitions, "ServicePolicy")
    _overlay(definitions, "PlatformPolicy")
    return {
        "$schema": DIALECT,
        "$id": "urn:gwc:v1:policy" + (f":{kind}" if kind else ""),
        "title": "gwc policy, gwc/v1",
        **_root(kind),
        "$defs": dict(sorted(definitions.items())),
    }


def _root(kind: str | None) -> dict[str, Any]:
    if kind is not None:
        return {"$ref": f"#/$defs/{kind.capitalize()}Policy"}
    is_platform = {"properties": {"kind": {"const": "Platform"}}, "required": ["kind"]}
    return {
        "type": "object",
        "required": ["apiVersion", "kind"],
        "if": is_platform,
        "then": {"$ref": "#/$defs/PlatformPolicy"},
        "else": {"$ref": "#/$defs/ServicePolicy"},
    }


def _explain(definitions: dict[str, Any]) -> None:
    """Every field says what it means."""
    for name, definition in definitions.items():
        for key, value in definition.get("properties", {}).items():
            if "description" not in value and (said := meaning(name, key)):
                value["description"] = said


def _short_upstream(definitions: dict[str, Any]) -> None:
    """`upstream: http://host:port` is short for one endpoint."""
    properties = definitions["ServicePolicy"]["properties"]
    properties["upstream"] = {"anyOf": [properties["upstream"], definitions["EndpointPolicy"]["properties"]["url"]]}


def _overlay(definitions: dict[str, Any], name: str) -> None:
    """An environment holds any part of its policy: the same keys, none required, none of those that name the policy."""
    fixed = {"apiVersion", "kind", "service", "environments"}
    whole = definitions[name]
    properties = {key: _part(value, definitions) for key, value in whole["properties"].items() if key not in fixed}
    if "routes" in properties:
        _part({"$ref": "#/$defs/RoutePolicy"}, definitions)
        definitions["RouteOverlay"]["required"] = ["name"]
        properties["routes"] = {"type": "array", "items": {"$ref": "#/$defs/RouteOverlay"}}
    overlay = name.replace("Policy", "Overlay")
    definitions[overlay] = {
        "type": "object", "additionalProperties": False, "properties": properties, "title": overlay,
    }  # fmt: skip
    environments = whole["properties"]["environments"]
    environments["patternProperties"] = {
        key: {"$ref": f"#/$defs/{overlay}"} for key in environments["patternProperties"]
    }
    environments["additionalProperties"] = False
    environments["maxProperties"] = MAX_ENVIRONMENTS


def _part(schema: Any, definitions: dict[str, Any]) -> Any:
    """`schema` with nothing required: maps merge with what they overlay. Lists replace it, so they stay whole."""
    if isinstance(schema, list):
        return [_part(item, definitions) for item in schema]
    if not isinstance(schema, dict) or schema.get("type") == "array":
        return schema
    part = {
        key: value if key in ("default", "examples") else _part(value, definitions) for key, value in schema.items()
    }
    part.pop("required", None)
    if "$ref" in schema:
        part["$ref"] = schema["$ref"].replace("Policy", "") + "Overlay"
        _define_part(schema["$ref"].rpartition("/")[2], part["$ref"].rpartition("/")[2], definitions)
    return part


def _define_part(name: str, overlay: str, definitions: dict[str, Any]) -> None:
    if overlay not in definitions:
        definitions[overlay] = {}  # before its content, which may lead back here
        definitions[overlay] |= {**_part(definitions[name], definitions), "title": overlay}


def tidy(node: Any) -> None:
    """A key that may be left out is still never null, and a default of None is no default."""
    if isinstance(node, list):
        for item in node:
            tidy(item)
    if not isinstance(node, dict):
        return
    if node.get("default", 0) is None:
        del node["default"]
    choices = node.get("anyOf")
    if isinstance(choices, list) and {"type": "null"} in choices:
        rest = [choice for choice in choices if choice != {"type": "null"}]
        del node["anyOf"]
        node.update(rest[0] if len(rest) == 1 else {"anyOf": rest})
    for value in node.values():
        tidy(value)


_SECTION_WORDS = {"ServicePolicy": "a service", "RoutePolicy": "a route", "PlatformPolicy": "the platform"}


@cache
def sections_of() -> dict[str, list[str]]:
    """Every key of the language and the sections that take it, for suggestions."""
    sections: dict[str, list[str]] = {}
    for name, definition in json_schema()["$defs"].items():
        words = _SECTION_WORDS.get(name, f"`{name.removesuffix('Policy').lower()}`")
        for key in definition.get("properties", {}) if not name.endswith("Overlay") else ():
            sections.setdefault(key, []).append(words)
    return sections
