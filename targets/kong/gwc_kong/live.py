"""What a running Kong has, and what it should: `/config` of its Admin API, which gwc's output leaves off.

Its other files, the node's settings and the plugin's Lua, are not shown there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import yaml

from gwc.live.source import LiveError, Running
from gwc.live.tree import Tree, tree_of
from gwc.target import Artifact
from gwc_kong.facts import facts
from gwc_kong.yaml_text import LOADER

FILE = "kong.yml"
_STAMPS = ("id", "created_at", "updated_at", "ws_id")
_HEADER = ("_format_version", "_transform", "_comment")


class KongLive:
    """Satisfies `gwc.live.source.Reader`."""

    path: str | None = "/config"

    def recognises(self, text: str) -> bool:
        return text.lstrip().startswith("{") and '"config"' in text[:200] and "_format_version" in text

    def wanted(self, artifact: Artifact) -> Tree:
        return _tree(_parsed(artifact.files[FILE].text))

    def running(self, text: str, artifact: Artifact) -> Running:
        try:
            entities = _parsed(json.loads(text)["config"])
            tree = _tree(entities)
        except (ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError, RecursionError) as error:
            raise LiveError("this is no configuration of Kong") from error
        return Running(tree, tuple(name for name in sorted(artifact.files) if name.endswith((".env", ".lua"))))


def _parsed(text: str) -> Any:
    return yaml.load(text, Loader=LOADER)  # noqa: S506 - a safe one


def _tree(entities: dict[str, Any]) -> Tree:
    """Entities by kind and name. Their order means nothing to Kong: routes have priorities."""
    flat = dict(_flat(entities))
    names = {one["id"]: one["name"] for ones in flat.values() for one in ones if "id" in one and "name" in one}
    return {kind: {_name(one): _entity(kind, one, names) for one in ones} for kind, ones in flat.items() if ones}


def _flat(entities: dict[str, Any]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Routes stand inside their services, or beside them with a reference."""
    inner = [
        {**route, "service": service["name"]}
        for service in entities.get("services", ())
        for route in service.get("routes") or ()
    ]
    for kind in sorted({*entities, "routes"} - {*_HEADER}):
        ones = [*(entities.get(kind) or ()), *(inner if kind == "routes" else ())]
        yield kind, [{key: one for key, one in entity.items() if key != "routes"} for entity in ones]


def _name(entity: Mapping[str, Any]) -> str:
    return str(entity.get("name") or entity.get("username") or entity.get("id"))


def _entity(kind: str, entity: dict[str, Any], names: Mapping[str, str]) -> Tree:
    usual = _defaults().get(kind, {})
    said = {key: one for key, one in entity.items() if key not in _STAMPS and not _is_usual(one, usual.get(key))}
    if "service" in said:
        service = said["service"]
        named = service.get("id") if isinstance(service, dict) else service
        said["service"] = names.get(str(named), str(named))
    return tree_of(said, lambda member: member.get("name") or member.get("id"))


def _is_usual(value: Any, usual: Any) -> bool:
    return value is None or (value == usual and isinstance(value, bool) is isinstance(usual, bool))


@cache
def _defaults() -> dict[str, dict[str, Any]]:
    """What Kong fills in, by its own schemas."""
    kinds = facts()["entities"]
    return {kind: {name: field.get("default") for name, field in fields.items()} for kind, fields in kinds.items()}
