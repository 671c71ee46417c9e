"""The admin listener: Kong's status API, which only reads, with the policy's paths added by the plugin."""

from __future__ import annotations

from collections.abc import Iterator

from gwc.ir import Gateway
from gwc.target import OutputFile
from gwc_kong.bundled import quote
from gwc_kong.cache import cached_routes

READY = "/ready"
PURGE = "/cache/purge/:service/:route"
PROMETHEUS: dict[str, object] = {
    "name": "prometheus",
    "config": {
        "status_code_metrics": True,
        "latency_metrics": True,
        "bandwidth_metrics": True,
        "upstream_health_metrics": True,
    },
    "tags": ["gwc"],
}
"""Off by default, every one of them; consumers stay out, because their names would be labels without bound."""


def _purge(gateway: Gateway) -> Iterator[str]:
    cached: dict[str, list[str]] = {}
    for service, route in cached_routes(gateway):
        cached.setdefault(service.name, []).append(route.name)
    if cached:
        yield f'routes[{quote(PURGE)}] = require("kong.plugins.gwc.purge")({{'
        for name, members in cached.items():
            yield f"  [{quote(name)}] = {{ " + ", ".join(f"[{quote(member)}] = true" for member in members) + " },"
        yield "})"


def status_api(gateway: Gateway) -> OutputFile:
    """The routes that the plugin adds to Kong's status listener."""
    lines = [
        "-- Routes on Kong's status listener, beside its own /status/ready.",
        "",
        f'local routes = {{ [{quote(READY)}] = require("kong.status.ready")["/status/ready"] }}',
        f'routes[{quote(gateway.metrics_path)}] = require("kong.plugins.gwc.metrics").api',
    ]
    origin = gateway.provenance.get("metrics_path")
    spans = {4: origin.span} if origin else {}
    lines += _purge(gateway)
    return OutputFile("\n".join([*lines, "return routes", ""]), spans)
