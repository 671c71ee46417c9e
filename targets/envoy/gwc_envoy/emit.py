"""The bootstrap: one file, the same bytes for the same Gateway."""

from __future__ import annotations

import re
from collections.abc import Mapping

from gwc.diagnostics import Span
from gwc.ir import Gateway, Node
from gwc.target import Artifact, Described, Lines
from gwc_envoy import admin, cache, cluster, grpc, hops, identity, listen, metrics, ratelimit, tracing, upstream
from gwc_envoy.printing import render
from gwc_envoy.xds import Json

FILE = "envoy.json"
RUNTIME = {"re2.max_program_size.error_level": 100_000}
"""Envoy refuses patterns of more than 100 instructions by default: a long path with a parameter has more."""
NAME = re.compile(r'"(?:name|cluster)": "([^"]+)"')


def emit(gateway: Gateway, profile: str) -> Artifact:
    described = bootstrap(gateway)
    text = render(described)
    rules = {metrics.RECORDING: metrics.recording(gateway)}
    bootstrap_file = Described(text, Lines(lambda: trace(text, spans(gateway))), document=described)
    return Artifact("envoy", profile, {FILE: bootstrap_file, **ratelimit.outputs(gateway), **rules})


def bootstrap(gateway: Gateway) -> Json:
    internal = [grpc.listener(gateway), *hops.listeners(gateway), *cache.listeners(gateway)]
    return {
        "node": {"id": "gwc", "cluster": "gwc"},
        "admin": admin.admin(gateway),
        "stats_config": metrics.stats_config(),
        "stats_flush_interval": metrics.FLUSH,
        "layered_runtime": {"layers": [{"name": "gwc", "static_layer": _runtime(gateway)}]},
        "bootstrap_extensions": [hops.BOOTSTRAP_EXTENSION],
        "static_resources": {
            "listeners": [*listen.listeners(gateway), *internal, admin.admin_listener(gateway)],
            "clusters": [
                *upstream.clusters(gateway),
                *hops.clusters(gateway),
                *cluster.clusters(gateway),
                *cache.clusters(gateway),
                grpc.cluster(),
                admin.cluster(gateway),
            ],
            "secrets": identity.secrets(gateway),
        },
    }


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
