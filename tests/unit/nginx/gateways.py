"""Gateways for these tests, through the real front end. JSON is YAML."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from gwc.compile import compile_sources
from gwc.diagnostics import Report
from gwc.ir import Gateway
from gwc.source import Source
from gwc.target import Artifact
from gwc_nginx import TARGET

_PLATFORM = {
    "apiVersion": "gwc/v1",
    "kind": "Platform",
    "listen": {"http": "127.0.0.1:8080", "admin": "127.0.0.1:9901"},
    "errors": {"type": "https://errors.example.com/"},
    "defaults": {"auth": "none", "retries": "none"},
}


def gateway(*services: Mapping[str, Any], **platform: Any) -> Gateway:
    documents: dict[str, Any] = {"platform": {**_PLATFORM, **platform}}
    for service in services or ({},):
        written = {"upstream": "http://127.0.0.1:8000", "routes": [route()], **service}
        name = written.setdefault("service", "main")
        documents[name] = {"apiVersion": "gwc/v1", "kind": "Service", "owner": "tests", **written}
    report = Report()
    sources = tuple(Source(f"{name}.yaml", json.dumps(data)) for name, data in documents.items())
    found = compile_sources(sources, environment=None, now=date(2026, 11, 23), report=report)
    assert found is not None, [f"{d.span} {d.message}" for d in report.diagnostics]
    return found


def route(**fields: Any) -> dict[str, Any]:
    return {"name": "r", "path": "/r", "methods": ["GET"], **fields}


def known_to_njs(built: Gateway) -> dict[str, Any]:
    """gwc.json."""
    found: dict[str, Any] = json.loads(TARGET.emit(built, "njs").files["gwc.json"].text)
    return found


def write(artifact: Artifact, directory: Path) -> Path:
    for name, output in artifact.files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(output.text, encoding="utf-8")
    return directory
