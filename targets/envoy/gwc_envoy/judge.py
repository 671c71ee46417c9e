"""Checks of our own for what `envoy --mode validate` lets pass although it would not hold."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from gwc.diagnostics import Diagnostic, Severity, Span
from gwc.target import Artifact, Output
from gwc_envoy.emit import FILE
from gwc_envoy.faults import Judge
from gwc_envoy.tree import routes_of
from gwc_envoy.xds import Json

_HINT = "this is a fault of gwc's Envoy target, not of the policy: please report it with the policy"


def judge(artifact: Artifact) -> tuple[Diagnostic, ...]:
    output = artifact.files[FILE]
    return tuple(_diagnostic(fault, name, output) for name, fault in _faults(json.loads(output.text)))


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
            for node in (host, *routes_of(host)):
                yield from Judge(known, public).faults(node)


def _managers(bootstrap: Mapping[str, Any]) -> Iterator[Json]:
    for listener in bootstrap["static_resources"]["listeners"]:
        for chain in listener["filter_chains"]:
            for network_filter in chain["filters"]:
                yield network_filter["typed_config"]
