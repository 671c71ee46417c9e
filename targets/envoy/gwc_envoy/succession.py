"""One configuration after another in a running Envoy, without a request lost in between.

Files are replaced one at a time. What the routes of before still lead to, clusters and the routes of hops, goes last:
for a while both are there. A table that is for other listeners than those of before is taken by the new ones alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from gwc_envoy.dynamic import CLUSTERS, HOSTS, LISTENERS
from gwc_envoy.layout import changed_managers
from gwc_envoy.tree import routes_of
from gwc_envoy.xds import Json

Files = Mapping[str, str]


def steps(old: Files, new: Files) -> Iterator[tuple[str, str]]:
    """Names and texts of the files in the order in which they are written, each once Envoy has read the one before.

    Where listeners change, what those of before lead to stays until the next succession, for their connections may not
    have ended.
    """
    now, wanted = _read(old), _read(new)
    for name, content in _order(now, wanted, same=tables(old) == tables(new)):
        if now.get(name) != content:
            now[name] = content
            yield name, new[name] if content == wanted[name] else json.dumps({"resources": [*content.values()]})


def _read(files: Files) -> dict[str, Any]:
    """Resources by name, whose order means nothing. The table is taken as it is."""
    read = {name: {one["name"]: one for one in json.loads(files[name])["resources"]} for name in (CLUSTERS, LISTENERS)}
    return {**read, **({HOSTS: files[HOSTS]} if HOSTS in files else {})}


def _order(old: Json, new: Json, same: bool) -> Iterator[tuple[str, Any]]:
    """`same`: whether the listeners that have routes of services stay."""
    hops = {**_inside(old[LISTENERS]), **_knowing(_inside(old[LISTENERS]), _inside(new[LISTENERS]))}
    yield CLUSTERS, {**old[CLUSTERS], **new[CLUSTERS]}
    yield LISTENERS, {**old[LISTENERS], **hops}
    yield from [(HOSTS, new[HOSTS])] if HOSTS in new else []
    yield LISTENERS, new[LISTENERS] if same else {**new[LISTENERS], **hops}
    yield from [(CLUSTERS, new[CLUSTERS])] if same else []


def _inside(listeners: Json) -> Json:
    """Those that only hops lead to."""
    return {name: one for name, one in listeners.items() if "internal_listener" in one}


def tables(files: Files) -> tuple[str, ...]:
    """The names of the tables that the listeners ask for."""
    listeners = json.loads(files[LISTENERS])["resources"]
    managers = [_manager(listener) for listener in listeners]
    return tuple(dict.fromkeys(one["rds"]["route_config_name"] for one in managers if "rds" in one))


def _manager(listener: Json) -> Json:
    found: Json = listener["filter_chains"][0]["filters"][0]["typed_config"]
    return found


def _knowing(old: Json, new: Json) -> Json:
    """The new listeners, behind whose own routes are those of before that match what none of them does."""
    return {name: _with_routes(one, _routes(old[name])) if name in old else one for name, one in new.items()}


def _routes(listener: Json) -> list[Json]:
    return list(routes_of(_manager(listener)["route_config"]["virtual_hosts"][0]))


def _with_routes(listener: Json, former: list[Json]) -> Json:
    """For a while in one list, also where there are many: they differ in what they match, not in their order."""
    own = {json.dumps(route["match"], sort_keys=True) for route in _routes(listener)}
    more = [route for route in former if json.dumps(route["match"], sort_keys=True) not in own]

    def change(manager: Json) -> Json:
        table = manager["route_config"]
        host = {key: value for key, value in table["virtual_hosts"][0].items() if key != "matcher"}
        known = {**host, "routes": [*_routes(listener), *more]}
        return {**manager, "route_config": {**table, "virtual_hosts": [known]}}

    return changed_managers(listener, change) if more else listener
