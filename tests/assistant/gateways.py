"""A real gateway with the service's real policy, in front of a running service."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, TypeAlias

import httpx
import yaml

from assistant.running import SECRET
from conformance.harness import below_exact, write
from conformance.tokens import read_public, token
from conformance.variants import Variant
from gwc.compile import compile_sources
from gwc.diagnostics import Report
from gwc.ir import Gateway
from gwc.source import Source
from ports import free_port

POLICY = Path(__file__).parents[2] / "policies/assistant.yaml"
SECRETS = {"GATEWAY_SECRET": SECRET}
Change: TypeAlias = Callable[[dict[str, Any]], None]
"""What a test wants otherwise in the service's policy."""


def as_it_is(policy: dict[str, Any]) -> None:
    """Nothing is changed."""


@dataclass(frozen=True)
class Edge:
    """What clients know of the service."""

    client: httpx.Client

    def ask(self, user: str, question: str, **more: Any) -> httpx.Response:
        return self.client.post("/assistant/v1/ask", json={"question": question, **more}, headers=bearer(user))


def bearer(user: str, **more: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token(user)}", **more}


@contextmanager
def edge(variant: Variant, service: str, directory: Path, *more: str, change: Change = as_it_is) -> Iterator[Edge]:
    """`service` is the URL of the only endpoint, but for `more`; else the service's policy is as `change` leaves it."""
    port = free_port()
    gateway = _compiled(variant, _policy([service, *more], change), port)
    artifact = variant.target.emit(gateway, variant.profile)
    write(artifact, directory, SECRETS)
    running = variant.engine.launch(variant.engine.find(variant.profile), directory, SECRETS)
    base, host = f"http://127.0.0.1:{port}", {"Host": "api.example.com"}
    try:
        with httpx.Client(base_url=base, headers=host, timeout=20, trust_env=False) as client:
            yield Edge(client)
    finally:
        running.stop()


def _policy(services: list[str], change: Change) -> dict[str, Any]:
    policy: dict[str, Any] = yaml.safe_load(POLICY.read_text(encoding="utf-8"))
    policy["upstream"]["endpoints"] = [{"url": url} for url in services]
    del policy["environments"]
    change(policy)
    return policy


def _compiled(variant: Variant, policy: dict[str, Any], port: int) -> Gateway:
    """Compiled once to learn what the target cannot do exactly, then with that accepted."""
    strict = _gateway(variant, policy, port, ())
    return _gateway(variant, policy, port, tuple(sorted(below_exact(strict, variant.target.support(variant.profile)))))


def _gateway(variant: Variant, policy: dict[str, Any], port: int, accept: tuple[str, ...]) -> Gateway:
    documents = {"platform": _platform(variant, port, accept), "assistant": policy}
    report = Report()
    sources = [Source(f"{name}.yaml", json.dumps(data, indent=1)) for name, data in documents.items()]
    found = compile_sources(sources, environment=None, now=date(2026, 11, 23), report=report, read=read_public)
    assert found is not None, [f"{d.span} {d.code} {d.message}" for d in report.diagnostics]
    return found


def _platform(variant: Variant, port: int, accept: tuple[str, ...]) -> dict[str, Any]:
    issuer = {"issuer": "https://one.example.com/", "audience": ["assistant"], "jwks": {"file": "keys/one.json"}}
    return {
        "apiVersion": "gwc/v1",
        "kind": "Platform",
        "listen": {"http": f"127.0.0.1:{port}", "admin": f"127.0.0.1:{free_port()}"},
        "identity": {
            "user_header": "X-User-Id",
            "gateway_secret": {"header": "X-Gateway-Secret", "secret": {"env": "GATEWAY_SECRET"}},
            "jwt": [issuer],
        },
        "targets": {variant.target.name: {"profile": variant.profile, "accept": list(accept)}},
    }
