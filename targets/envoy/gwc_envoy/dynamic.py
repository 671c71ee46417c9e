"""Profile `files`: the same gateway in a small bootstrap and three files, which Envoy reads again when one is replaced.

A listener holds every limit's buckets, so it stays as long as nothing of its own changes, whatever becomes of the
routes. But what a route says is only safe behind the filters that it was written for: the table of routes therefore
bears the name of the listeners that it belongs to, and Envoy gives a listener no table but the one that it asks for.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from hashlib import sha256
from typing import Any

from gwc.derived import per_gateway
from gwc.ir import Gateway
from gwc.target import Artifact, Assembled, Lines
from gwc_envoy import emit as whole
from gwc_envoy import hops, metrics, ratelimit, upstream
from gwc_envoy.profiles import FILES, told
from gwc_envoy.rows import Rows, Run, plain
from gwc_envoy.streaming import pieces
from gwc_envoy.xds import Json

CLUSTERS, HOSTS, LISTENERS = "clusters/clusters.json", "hosts/hosts.json", "listeners/listeners.json"
ORDER = (CLUSTERS, HOSTS, LISTENERS)
"""In which they are replaced, and how their names sort. A cluster is there before the routes that lead to it, and a
table before the listener that asks for it: a listener without its table answers 404 to everybody."""

TABLE = "gwc"
"""The name of the services' table of routes where one file holds everything."""
_TYPES = {CLUSTERS: "cluster.v3.Cluster", HOSTS: "route.v3.RouteConfiguration", LISTENERS: "listener.v3.Listener"}
_DIGITS = 12
"""Of the hash that tells listeners apart."""


def emit(gateway: Gateway) -> Artifact:
    gateway = told(gateway, FILES)
    files = {name: _file(gateway, name) for name in documents(gateway)}
    rules = {metrics.RECORDING: metrics.recording(gateway)}
    return Artifact("envoy", FILES, {**files, **ratelimit.outputs(gateway), **rules})


def _file(gateway: Gateway, name: str) -> Assembled:
    found = Lines(lambda: whole.trace(file.text, whole.spans(gateway)))
    file = Assembled(lambda: pieces(gateway, documents(gateway)[name]), found)
    return file


@per_gateway
def documents(gateway: Gateway) -> dict[str, Json]:
    """By file. There is no table where no listener has routes of services."""
    document = whole.document(gateway)
    listeners, clusters = (document["static_resources"].pop(kind) for kind in ("listeners", "clusters"))
    apart = [_apart(listener) for listener in listeners.entries()]
    tables = [table for _, table in apart if table is not None]
    name = _name(listener for listener, table in apart if table is not None)
    asking = [listener if table is None else _asking(listener, name) for listener, table in apart]
    return {
        whole.FILE: {
            **document,
            "dynamic_resources": {"lds_config": _source(LISTENERS), "cds_config": _source(CLUSTERS)},
        },
        CLUSTERS: {
            "resources": Rows(clusters.name, lambda: _told(clusters.entries()), lambda: _told(clusters.whole()))
        },
        LISTENERS: {"resources": [_resource(LISTENERS, listener) for listener in asking]},
        **({HOSTS: {"resources": [_resource(HOSTS, {**tables[0], "name": name})]}} if tables else {}),
    }


def _apart(listener: Json) -> tuple[Json, Json | None]:
    """A listener without the services' table of routes, and the table; as it is if it has another one."""
    manager = listener["filter_chains"][0]["filters"][0]
    config = manager["typed_config"]
    if config["route_config"]["name"] != TABLE:
        return listener, None
    rest = {key: value for key, value in config.items() if key != "route_config"}
    return _with_config(listener, rest), config["route_config"]


def _with_config(listener: Json, config: Json) -> Json:
    chain = listener["filter_chains"][0]
    return {**listener, "filter_chains": [{**chain, "filters": [{**chain["filters"][0], "typed_config": config}]}]}


def _asking(listener: Json, name: str) -> Json:
    """For the table of that name."""
    config = listener["filter_chains"][0]["filters"][0]["typed_config"]
    return _with_config(listener, {**config, "rds": {"route_config_name": name, "config_source": _source(HOSTS)}})


def _name(listeners: Iterable[Json]) -> str:
    """That of a table, by the listeners whose filters it speaks to."""
    text = json.dumps([plain(listener) for listener in listeners], sort_keys=True)
    return f"{TABLE}-{sha256(text.encode()).hexdigest()[:_DIGITS]}"


def _source(name: str) -> Json:
    """Relative to the directory that Envoy is started in. Whatever is moved into the file's own directory is a sign to
    read it again, so that a link may be replaced, too; and none is read because another one changed."""
    path = {"path": name, "watched_directory": {"path": name.partition("/")[0]}}
    return {"path_config_source": path, "resource_api_version": "V3"}


def _resource(name: str, message: Json) -> Json:
    """A message as the file of that name holds it."""
    return {"@type": f"type.googleapis.com/envoy.config.{_TYPES[name]}", **message}


def _told(clusters: Iterable[Json | Run]) -> Iterator[Any]:
    for entry in clusters:
        yield replace(entry, make=_MADE[entry.make]) if isinstance(entry, Run) else _resource(CLUSTERS, entry)


def of_services(gateway: Gateway) -> Iterator[Any]:
    return _told(upstream.clusters(gateway))


def to_hops(gateway: Gateway, hop: str, *names: str) -> Iterator[Any]:
    return _told(hops.clusters_to(gateway, hop, *names))


_MADE: dict[Callable[..., Any], Callable[..., Iterable[Json]]] = {
    upstream.clusters: of_services,
    hops.clusters_to: to_hops,
}
"""What makes the same clusters as resources of a file."""
