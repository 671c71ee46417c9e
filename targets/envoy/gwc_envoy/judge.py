"""Checks of our own for what `envoy --mode validate` lets pass although it would not hold."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from gwc.diagnostics import Diagnostic, Severity, Span
from gwc.target import Artifact, Described, Output
from gwc_envoy import auth, body
from gwc_envoy.emit import FILE
from gwc_envoy.xds import Json

_HINT = "this is a fault of gwc's Envoy target, not of the policy: please report it with the policy"


def judge(artifact: Artifact) -> tuple[Diagnostic, ...]:
    output = artifact.files[FILE]
    bootstrap = output.document if isinstance(output, Described) else json.loads(output.text)
    return tuple(_diagnostic(fault, name, output) for name, fault in _faults(bootstrap))


def _diagnostic(fault: str, name: str, output: Output) -> Diagnostic:
    lines = output.text.splitlines()
    spans = [span for number, span in output.lines.items() if f'"{name}"' in lines[number - 1]]
    span = min(spans, default=Span(FILE, 1, 1, 1, 1))
    return Diagnostic(span, "GWC604", Severity.ERROR, f"envoy would run, but {fault}", _HINT)


def _faults(bootstrap: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for manager in _managers(bootstrap):
        known = {entry["name"] for entry in manager["http_filters"]}
        public = "gwc.early" in json.dumps(manager.get("early_header_mutation_extensions", []))
        for host in manager["route_config"]["virtual_hosts"]:
            yield from _unknown_filters(host, known)
            for route in host["routes"]:
                yield from _unknown_filters(route, known)
                if public:
                    yield from _unbounded(route)


def _managers(bootstrap: Mapping[str, Any]) -> Iterator[Json]:
    for listener in bootstrap["static_resources"]["listeners"]:
        for chain in listener["filter_chains"]:
            for network_filter in chain["filters"]:
                yield network_filter["typed_config"]


def _unknown_filters(node: Json, known: set[str]) -> Iterator[tuple[str, str]]:
    """A misspelt key is accepted and does nothing."""
    for name in sorted(node.get("typed_per_filter_config", {}).keys() - known):
        yield node["name"], f"{node['name']} configures the filter {name}, which does not exist"


def _unbounded(route: Json) -> Iterator[tuple[str, str]]:
    """A route that forwards must say how much it forwards and for how long."""
    action: dict[str, Any] | None = route.get("route")
    if action is None:
        return
    for field in ("timeout", "idle_timeout"):
        if field not in action:
            yield route["name"], f"{route['name']} has no {field}"
    if auth.FILTER not in route.get("metadata", {}).get("filter_metadata", {}):
        yield route["name"], f"{route['name']} does not say whose requests it accepts"
    if body.FILTER not in route.get("typed_per_filter_config", {}):
        yield route["name"], f"{route['name']} has no bound for its body"
