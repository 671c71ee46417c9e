"""Checks of our own for what `envoy --mode validate` lets pass although it would not hold."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

from gwc.diagnostics import Diagnostic, Severity, Span
from gwc.target import Artifact, Output
from gwc_envoy.emit import FILE
from gwc_envoy.faults import Judge
from gwc_envoy.layout import NAMES, joined
from gwc_envoy.tree import routes_of
from gwc_envoy.xds import Json

_HINT = "this is a fault of gwc's Envoy target, not of the policy: please report it with the policy"


def judge(artifact: Artifact) -> tuple[Diagnostic, ...]:
    outputs = {name: artifact.files[name] for name in NAMES if name in artifact.files}
    bootstrap = joined({name: output.text for name, output in outputs.items()})
    return tuple(_diagnostic(fault, name, outputs.values()) for name, fault in _faults(bootstrap))


def _diagnostic(fault: str, name: str, outputs: Iterable[Output]) -> Diagnostic:
    span = min(chain.from_iterable(_lines_with(name, one) for one in outputs), default=Span(FILE, 1, 1, 1, 1))
    return Diagnostic(span, "GWC604", Severity.ERROR, f"envoy would run, but {fault}", _HINT)


def _lines_with(name: str, output: Output) -> Iterator[Span]:
    lines = output.text.splitlines()
    return (span for number, span in output.lines.items() if f'"{name}"' in lines[number - 1])


def _faults(bootstrap: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for manager in _managers(bootstrap):
        known = {entry["name"] for entry in manager["http_filters"]}
        public = "gwc.early" in json.dumps(manager.get("early_header_mutation_extensions", []))
        for host in manager["route_config"]["virtual_hosts"]:
            for node in (host, *routes_of(host)):
                yield from Judge(known, public).faults(node)


def _managers(bootstrap: Mapping[str, Any]) -> Iterator[Json]:
    for listener in bootstrap["static_resources"]["listeners"]:
        for filter_chain in listener["filter_chains"]:
            for network_filter in filter_chain["filters"]:
                yield network_filter["typed_config"]
