"""The bootstrap: one file, the same bytes for the same Gateway.

`document` puts it together. What grows with the services stands in it as Rows, which tell the entries when they are
printed: the listeners (in each its filters, log lines, virtual hosts and their routes), and the clusters. So each of
`listeners`, `clusters` and `routing.route_configuration` can be printed into a file of its own, too: `streaming.pieces`
takes any document.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from gwc.diagnostics import Span
from gwc.ir import Gateway, Node
from gwc.target import Artifact, Assembled, Lines
from gwc_envoy import admin, cache, cluster, grpc, hops, identity, listen, metrics, ratelimit, tracing, upstream
from gwc_envoy.rows import Rows, Run, plain, runs
from gwc_envoy.streaming import pieces
from gwc_envoy.xds import Json

FILE = "envoy.json"
RUNTIME = {"re2.max_program_size.error_level": 100_000}
"""Envoy refuses patterns of more than 100 instructions by default: a long path with a parameter has more."""
NAME = re.compile(r'"(?:name|cluster)": "([^"]+)"')


def emit(gateway: Gateway, profile: str) -> Artifact:
    rules = {metrics.RECORDING: metrics.recording(gateway)}
    return Artifact("envoy", profile, {FILE: _file(gateway), **ratelimit.outputs(gateway), **rules})


def _file(gateway: Gateway) -> Assembled:
    found = Lines(lambda: trace(file.text, spans(gateway)))
    file = Assembled(lambda: pieces(gateway, document(gateway)), found)
    return file


def bootstrap(gateway: Gateway) -> Json:
    """As plain data, which all follows from the whole gateway."""
    found: Json = plain(document(gateway))
    return found


def document(gateway: Gateway) -> Json:
    return {
        "node": {"id": "gwc", "cluster": "gwc"},
        "admin": admin.admin(gateway),
        "stats_config": metrics.stats_config(),
        "stats_flush_interval": metrics.FLUSH,
        "layered_runtime": {"layers": [{"name": "gwc", "static_layer": _runtime(gateway)}]},
        "bootstrap_extensions": [hops.BOOTSTRAP_EXTENSION],
        "static_resources": {
            "listeners": Rows("listeners", lambda: listeners(gateway)),
            "clusters": Rows("clusters", lambda: clusters(gateway), lambda: _clusters(gateway)),
            "secrets": identity.secrets(gateway),
        },
    }


def listeners(gateway: Gateway) -> Iterator[Json]:
    yield from listen.listeners(gateway)
    yield grpc.listener(gateway)
    yield from hops.listeners(gateway)
    yield from cache.listeners(gateway)
    yield admin.admin_listener(gateway)


def clusters(gateway: Gateway) -> Iterator[Json | Run]:
    yield from upstream.outside(gateway)
    yield from runs(gateway.services, upstream.clusters)
    yield from hops.clusters(gateway)
    yield from _others(gateway)


def _clusters(gateway: Gateway) -> Iterator[Json]:
    yield from upstream.outside(gateway)
    yield from upstream.clusters(gateway)
    yield from hops.all_clusters(gateway)
    yield from _others(gateway)


def _others(gateway: Gateway) -> Iterator[Json]:
    yield from cluster.clusters(gateway)
    yield from cache.clusters(gateway)
    yield grpc.cluster()
    yield admin.cluster(gateway)


def _runtime(gateway: Gateway) -> Json:
    return RUNTIME if gateway.tracing is None else {**RUNTIME, **tracing.RUNTIME}


def spans(gateway: Gateway) -> Mapping[str, Span]:
    """The policy text behind each name that the bootstrap uses."""
    found: dict[str, Span] = {}
    _note(found, "http", gateway.listen, "http")
    _note(found, "https", gateway.listen, "https")
    _note(found, "admin", gateway.listen, "admin")
    for service in gateway.services:
        _note(found, service.name, service.upstream, "endpoints")
        for route in service.routes:
            _note(found, f"{service.name}/{route.name}", route, "path")
            _note(found, upstream.cluster_name(service, route), route.timeouts, "connect")
    return found


def _note(found: dict[str, Span], name: str, node: Node, field: str) -> None:
    origin = node.provenance.get(field)
    if origin is not None:
        found.setdefault(name, origin.span)


def trace(text: str, names: Mapping[str, Span]) -> dict[int, Span]:
    """The lines that carry a name of the policy."""
    lines: dict[int, Span] = {}
    for number, line in enumerate(text.splitlines(), 1):
        known = next((name for name in NAME.findall(line) if name in names), None)
        if known is not None:
            lines[number] = names[known]
    return lines
