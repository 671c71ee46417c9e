"""What Envoy reads in either profile, as the one bootstrap that says the same: what judges it need not know which."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from gwc_envoy.dynamic import CLUSTERS, HOSTS, LISTENERS, ORDER, TABLE
from gwc_envoy.emit import FILE
from gwc_envoy.xds import Json

NAMES = (FILE, *ORDER)
"""Of the files that Envoy reads."""


class UnknownTableError(ValueError):
    """A listener asks for routes that nobody has: nothing would be served."""


def texts(directory: Path) -> dict[str, str]:
    """The files below `directory` that Envoy reads, the bootstrap first."""
    places = {name: directory / name for name in NAMES}
    return {name: place.read_text(encoding="utf-8") for name, place in places.items() if place.is_file()}


def watches(files: Mapping[str, str]) -> bool:
    """Whether the bootstrap leaves the rest to files that are read again."""
    return '"dynamic_resources"' in files[FILE]


def listeners(files: Mapping[str, str]) -> list[Json]:
    """As they are written: one whose routes are in another file has none."""
    if watches(files):
        return _messages(files[LISTENERS])
    found: list[Json] = json.loads(files[FILE])["static_resources"]["listeners"]
    return found


def joined(files: Mapping[str, str]) -> Json:
    """The bootstrap that says all that `files` say. Raises UnknownTableError, and ValueError for what is no JSON."""
    bootstrap: Json = json.loads(files[FILE])
    if not watches(files):
        return bootstrap
    read = {name: _messages(files[name]) if name in files else [] for name in ORDER}
    return with_resources(bootstrap, read[LISTENERS], read[CLUSTERS], read[HOSTS])


def with_resources(bootstrap: Json, asking: list[Json], clusters: list[Json], tables: Iterable[Json]) -> Json:
    """What came by files, in the places that it has in a bootstrap that holds everything."""
    known = {table["name"]: table for table in tables}
    static = {"listeners": [_complete(one, known) for one in asking], "clusters": clusters}
    rest = {key: value for key, value in bootstrap.items() if key != "dynamic_resources"}
    return {**rest, "static_resources": {**bootstrap.get("static_resources", {}), **static}}


def _messages(text: str) -> list[Json]:
    return [message(resource) for resource in json.loads(text)["resources"]]


def message(resource: Mapping[str, Any]) -> Json:
    return {key: value for key, value in resource.items() if key != "@type"}


def changed_managers(listener: Json, change: Callable[[Json], Json]) -> Json:
    """The listener with other connection managers."""

    def one(network_filter: Json) -> Json:
        return {**network_filter, "typed_config": change(network_filter["typed_config"])}

    chains = listener.get("filter_chains", [])
    return {**listener, "filter_chains": [{**chain, "filters": [*map(one, chain["filters"])]} for chain in chains]}


def _complete(listener: Json, tables: Mapping[str, Json]) -> Json:
    def complete(manager: Json) -> Json:
        if "rds" not in manager:
            return manager
        wanted = manager["rds"]["route_config_name"]
        if wanted not in tables:
            raise UnknownTableError(
                f"the listener {listener['name']} asks for the routes {wanted}, which {HOSTS} does not hold"
            )
        rest = {key: value for key, value in manager.items() if key != "rds"}
        return {**rest, "route_config": {**tables[wanted], "name": TABLE}}

    return changed_managers(listener, complete)
