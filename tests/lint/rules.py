"""A plain platform and plain services that no rule has anything to say about, and what an example adds to them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from gwc.diagnostics import Diagnostic, Report
from gwc.lint.registry import RULES
from gwc.lint.rule import examples
from gwc.lint.run import lint_sources
from gwc.source import Source

NOW = date(2026, 11, 23)
_KEY = {
    "kty": "EC",
    "crv": "P-256",
    "kid": "a",
    "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
    "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
}
KEYS = json.dumps({"keys": [_KEY]})
_WEAK = json.dumps({"keys": [{"kty": "RSA", "kid": "old", "n": "u" * 86, "e": "AQAB"}]})
_PLATFORM: dict[str, Any] = {
    "apiVersion": "gwc/v1",
    "kind": "Platform",
    "owner": "team-platform",
    "listen": {"http": "127.0.0.1:8080"},
    "identity": {
        "gateway_secret": {"header": "X-Gateway-Secret", "secret": {"env": "GATEWAY_SECRET"}},
        "jwt": {"issuer": "https://id.example.com/", "audience": ["shop"], "jwks": {"file": "keys.json"}},
    },
    "limits": [{"per": "ip", "rate": "1000/min", "burst": 20}],
    "defaults": {"auth": {"any_of": ["jwt"]}, "timeouts": {"connect": "1s", "request": "15s", "idle": "60s"}},
}


def _service(name: str, port: int) -> dict[str, Any]:
    return {
        "apiVersion": "gwc/v1",
        "kind": "Service",
        "service": name,
        "owner": f"team-{name}",
        "upstream": {"endpoints": [{"url": f"http://127.0.0.1:{port}"}]},
        "routes": [{"name": f"{name}-items", "path": f"/{name}-items", "methods": ["GET"]}],
    }


def _merged(base: Any, over: Any) -> Any:
    if not (isinstance(base, Mapping) and isinstance(over, Mapping)):
        return over
    merged = {
        key: _merged(base[key], over[key]) if key in base and key in over else value
        for key, value in {**base, **over}.items()
    }
    return {key: value for key, value in merged.items() if value is not None}


def sources(section: str) -> tuple[Source, ...]:
    """The policies of an example: plain ones, with what it says merged in."""
    files = {Path(name): text for name, text in examples(section)}
    said: dict[str, Any] = {f.stem: yaml.safe_load(text) for f, text in files.items() if f.suffix == ".yaml"}
    return policies_of(said)


def policies_of(said: Mapping[str, Any]) -> tuple[Source, ...]:
    """Plain policies with what is `said` of each, by its name, merged in."""
    plain = {"platform": _PLATFORM, "shop": _service("shop", 8000)}
    plain |= {"other": _service("other", 8001)} if "other" in said else {}
    whole = {name: _merged(base, said.get(name, {})) for name, base in plain.items()}
    return tuple(Source(f"policies/{name}.yaml", yaml.safe_dump(one, sort_keys=False)) for name, one in whole.items())


def code(section: str, directory: Path) -> Path | None:
    """The services' code of an example, written below `directory`; None where it has none."""
    files = {name: text for name, text in examples(section) if name.endswith(".py")}
    for name, text in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text)
    return directory / "services" if files else None


def _read(_: Source, file: str) -> str:
    return _WEAK if file == "keys-512.json" else KEYS


def linted(policies: Iterable[Source], services: Path | None = None) -> tuple[Diagnostic, ...]:
    report = Report()
    options: dict[str, Any] = {"code": str(services)} if services else {}
    lint_sources(tuple(policies), RULES, environment=None, now=NOW, report=report, read=_read, **options)
    assert not any(d.code < "GWC300" for d in report.diagnostics), report.diagnostics
    return report.diagnostics
