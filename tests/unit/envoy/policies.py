"""Gateways for the tests of the Envoy target, through the real front end."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

from gwc.compile import compile_sources
from gwc.diagnostics import Report
from gwc.ir import Gateway
from gwc.source import Source

_PLATFORM: dict[str, Any] = {
    "apiVersion": "gwc/v1",
    "kind": "Platform",
    "listen": {"http": "127.0.0.1:18080", "admin": "127.0.0.1:19901"},
    "errors": {"type": "https://errors.example.com/"},
    "defaults": {"auth": "none"},
}
_SERVICE: dict[str, Any] = {"apiVersion": "gwc/v1", "kind": "Service", "upstream": "http://127.0.0.1:8000"}


def gateway(*services: dict[str, Any], **platform: Any) -> Gateway:
    """Services without a route get one: GET /<name>."""
    documents = {"platform": {**_PLATFORM, **platform}, **{s["service"]: _service(s) for s in services}}
    report = Report()
    sources = tuple(
        Source(f"{name}.yaml", json.dumps(data, indent=1, ensure_ascii=False)) for name, data in documents.items()
    )
    compiled = compile_sources(sources, environment=None, now=date(2026, 11, 23), report=report)
    assert compiled is not None, [f"{d.span} {d.message}" for d in report.diagnostics]
    return compiled


def _service(given: dict[str, Any]) -> dict[str, Any]:
    route = {"name": "r", "path": f"/{given['service']}", "methods": ["GET"]}
    return {"routes": [route], **_SERVICE, **given}


def route(name: str = "r", path: str = "/r", methods: tuple[str, ...] = ("GET",), **fields: Any) -> dict[str, Any]:
    return {"name": name, "path": path, "methods": list(methods), **fields}
