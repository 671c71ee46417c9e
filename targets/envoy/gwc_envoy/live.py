"""What a running Envoy says that it runs, and what it should: `/config_dump` of its admin listener."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from http import HTTPStatus
from typing import Any

from gwc.live.source import LiveError, Running
from gwc.live.tree import Tree, tree_of
from gwc.target import Artifact
from gwc_envoy.emit import FILE
from gwc_envoy.layout import NAMES, UnknownTableError, joined, message, with_resources

_DURATION = re.compile(r"-?\d+(\.\d+)?s\Z")
_INTEGER = re.compile(r"-?\d{1,19}\Z")
_STATUSES = {re.sub(r"[^A-Za-z]", "", status.phrase.title()): status.value for status in HTTPStatus}
_HIDDEN = "[redacted]"
_ZEROS = {
    "append_action": "APPEND_IF_EXISTS_OR_ADD",
    "denominator": "HUNDRED",
    "enable_x_ratelimit_headers": "OFF",
    "failure_mode_deny": False,
    "lb_policy": "ROUND_ROBIN",
    "numerator": 0,
    "op": "EQ",
    "source": "DYNAMIC",
    "stage": 0,
    "type": "STRING",
    "value": 0,
}
"""Fields that Envoy does not show where they have the value that they have anyway."""
_OF_THE_BUILD = ("extensions", "user_agent_build_version", "user_agent_name", "user_agent_version")
_LISTENERS, _CLUSTERS, _TABLES = "dynamic_listeners", "dynamic_active_clusters", "dynamic_route_configs"
_NOT_TAKEN = {"error_state", "warming_state"}
_STATIC = re.compile(r"static_|last_updated|version_info|@type|bootstrap\Z")


class EnvoyLive:
    """Satisfies `gwc.live.source.Reader`."""

    path: str | None = "/config_dump"

    def recognises(self, text: str) -> bool:
        return '"type.googleapis.com/envoy.admin.v3.BootstrapConfigDump"' in text

    def wanted(self, artifact: Artifact) -> Tree:
        files = {name: artifact.files[name].text for name in NAMES if name in artifact.files}
        return _tree(_with_source(joined(files), json.loads(files[FILE])))

    def running(self, text: str, artifact: Artifact) -> Running:
        try:
            sections = json.loads(text)["configs"]
            bootstrap = next(one["bootstrap"] for one in sections if "bootstrap" in one)
            bootstrap, delivered = _whole(bootstrap, sections), dict(_delivered(bootstrap, sections))
        except UnknownTableError as error:
            raise LiveError(f"this Envoy has refused its files: {error}") from error
        except (ValueError, KeyError, TypeError, StopIteration, AttributeError, RecursionError) as error:
            raise LiveError("this is no configuration dump of Envoy") from error
        bootstrap["node"] = {key: one for key, one in bootstrap.get("node", {}).items() if key not in _OF_THE_BUILD}
        tree = _tree(bootstrap | ({"delivered": delivered} if delivered else {}))
        rest = tuple(name for name in sorted(artifact.files) if name.startswith("ratelimit/"))
        return Running(_unhidden(tree, self.wanted(artifact)), rest)


def _whole(bootstrap: dict[str, Any], sections: list[dict[str, Any]]) -> dict[str, Any]:
    """The bootstrap with what came by the files that it names, in the places of profile `default`."""
    if "dynamic_resources" not in bootstrap:
        return bootstrap
    listeners = [one["active_state"]["listener"] for one in _all(sections, _LISTENERS) if "active_state" in one]
    clusters = [one["cluster"] for one in _all(sections, _CLUSTERS)]
    tables = [one["route_config"] for one in _all(sections, _TABLES)]
    read = ([*map(message, found)] for found in (listeners, clusters, tables))
    return _with_source(with_resources(bootstrap, *read), bootstrap)


def _all(sections: list[dict[str, Any]], key: str) -> Iterator[dict[str, Any]]:
    return (one for section in sections for one in section.get(key, ()))


def _with_source(whole: dict[str, Any], bootstrap: dict[str, Any]) -> dict[str, Any]:
    """With the word of where the rest comes from, in whose order nothing stands that did."""
    if "dynamic_resources" not in bootstrap:
        return whole
    static = whole["static_resources"]
    ordered = {kind: sorted(static[kind], key=lambda one: str(one["name"])) for kind in ("listeners", "clusters")}
    return {**whole, "static_resources": static | ordered, "dynamic_resources": bootstrap["dynamic_resources"]}


def _delivered(bootstrap: Mapping[str, Any], sections: list[dict[str, Any]]) -> Iterator[tuple[str, Any]]:
    """What came neither with the bootstrap nor by its files, or came and was not taken."""
    files = "dynamic_resources" in bootstrap
    for section in sections:
        for key, value in section.items():
            if files and key in (_LISTENERS, _CLUSTERS, _TABLES):
                rest = [one for one in value if _NOT_TAKEN & one.keys()]
                yield from [(key, rest)] if rest else []
            elif not _STATIC.match(key) and value:
                yield key, value


def _tree(message: Any) -> Tree:
    return tree_of(_normal(message), _name)


def _name(member: Mapping[str, Any]) -> str | None:
    """A name, or the header that it is about."""
    named = member.get("name") or member.get("key") or member.get("cluster_name")
    header = member.get("header")
    if named is None and isinstance(header, Mapping):
        named = header.get("key")
    return named if isinstance(named, str) else None


def _normal(value: Any, field: str = "") -> Any:
    """One spelling of a number, and nothing that Envoy leaves out."""
    if isinstance(value, dict):
        kept = ((key, _normal(one, key)) for key, one in value.items())
        return {key: one for key, one in kept if not (key in _ZEROS and _is_zero(one, _ZEROS[key]))}
    if isinstance(value, list):
        return [_normal(one) for one in value]
    if isinstance(value, str):
        return _scalar(value, field)
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _is_zero(value: Any, zero: Any) -> bool:
    return value == zero and isinstance(value, bool) is isinstance(zero, bool)


def _scalar(text: str, field: str) -> Any:
    if _DURATION.match(text):
        return f"{Decimal(text[:-1]).normalize():f}s"
    if _INTEGER.match(text):
        return int(text)
    return _STATUSES.get(text, text) if field == "code" else text


def _unhidden(found: Tree, wanted: Tree) -> Tree:
    """Where Envoy hides a secret's name or value there is nothing to compare."""
    if isinstance(found, Mapping) and isinstance(wanted, Mapping):
        pairs = {key: _unhidden(one, wanted[key]) if key in wanted else one for key, one in found.items()}
        return type(found)(pairs)  # type: ignore[call-arg]  # a Series stays one
    return wanted if found == _HIDDEN and isinstance(wanted, str) else found
