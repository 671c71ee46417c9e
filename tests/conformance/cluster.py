"""Two gateways of one policy set that share their counts in a real Redis, for the tests of `scope: cluster`.

Envoy asks the rate limit service, here a double that reads the configuration which gwc emits for the real one. Kong
counts in Redis itself.
"""

from __future__ import annotations

import contextlib
import json
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conformance.client import Request, Response, exchange
from conformance.harness import Service, accepted_gateway, write
from conformance.pki import SERVICE_NAME
from conformance.scenario import Scenario
from conformance.script import KEY_HEADER, SCRIPT_HEADER, Script, encode
from conformance.upstream import Upstream
from conformance.variants import Variant
from gwc.ir import Gateway
from gwc.target import Running
from ports import free_port
from ratelimit_double import RateLimitService, Redis

DAY = 86400
PASSWORD = "p:a s$w'0\"rd"
ENVIRON = {"REDIS_PASSWORD": PASSWORD, "KEY_ANN": "k-Ann-7f3a9c2e51", "KEY_BOB": "k-Bob-0b8d4e6f12"}
_KEYS = {"ann": ENVIRON["KEY_ANN"], "bob": ENVIRON["KEY_BOB"]}
_PLATFORM: dict[str, Any] = {
    "identity": {"api_key": {"consumers": [{"name": n, "secret": {"env": f"KEY_{n.upper()}"}} for n in _KEYS]}},
    "defaults": {"auth": "none", "retries": "none"},
}


def _limited(name: str, **limit: Any) -> dict[str, Any]:
    auth = {"auth": {"any_of": ["api_key"]}} if limit["per"] == "user" else {}
    return {"name": name, "path": f"/{name}", "methods": ["GET"], **auth, "limits": [{"scope": "cluster", **limit}]}


_MAIN: dict[str, Any] = {
    "service": "main",
    "upstream": "http://127.0.0.1:${A}",
    "routes": [
        _limited("ip", per="ip", rate="3/day"),
        _limited("user", per="user", rate="3/day"),
        _limited("all", per="service", rate="3/day"),
        _limited("tenant", per={"header": "X-Tenant"}, rate="3/day"),
        _limited("shadow", per="ip", rate="1/day", mode="shadow"),
        _limited("rush", per="service", rate="5/day"),
        _limited("flow", per="service", rate="20/s", burst=10),
    ],
}
_COSTLY: dict[str, Any] = {
    "service": "costly",
    "upstream": "http://127.0.0.1:${A}",
    "auth": {"any_of": ["api_key"]},
    "budget": {"per": "user", "units": "10/day", "charge": "X-Cost-Units", "scope": "cluster"},
    "routes": [
        {"name": "light", "path": "/light", "methods": ["GET"]},
        {"name": "heavy", "path": "/heavy", "methods": ["GET"], "cost": 4},
        {"name": "free", "path": "/free", "methods": ["GET"], "cost": 0},
        {"name": "public", "path": "/public", "methods": ["GET"], "auth": "none"},
    ],
}
_ENCRYPTED: dict[str, Any] = {
    "service": "encrypted",
    "upstream": {
        "endpoints": [{"url": "https://127.0.0.1:${TLS}"}],
        "tls": {"ca": {"file": "${PKI}/ca.pem"}, "sni": SERVICE_NAME},
    },
    "routes": [_limited("encrypted", per="ip", rate="3/day")],
}


@dataclass
class Pair:
    """Two gateways of one policy set, and the store that they share."""

    variant: Variant
    gateways: list[Gateway]
    running: list[Running]
    upstream: Upstream
    redis: Redis
    service: RateLimitService | None
    _turn: int = 0
    _run: str = field(default_factory=lambda: uuid.uuid4().hex)

    def ask(self, path: str, user: str = "", cost: str | None = None, **headers: str) -> Response:
        """One request, of one gateway and the other in turn."""
        self._turn += 1
        listener = self.gateways[self._turn % 2].listen.http
        assert listener is not None
        sent = [("Host", "gateway.test"), (KEY_HEADER, self._run), *headers.items()]
        sent += [("X-API-Key", _KEYS[user])] if user else []
        if cost is not None:
            sent.append((SCRIPT_HEADER, encode([Script(headers=[("X-Cost-Units", cost)])])))
        return exchange((listener.host, listener.port), Request("GET", path, tuple(sent)))

    def statuses(self, path: str, times: int, user: str = "", **headers: str) -> list[int]:
        return [self.ask(path, user, **headers).status for _ in range(times)]

    def calls(self) -> int:
        return len(self.upstream.recorder.seen(self._run))

    def eventually(self, path: str, status: int, user: str = "") -> None:
        """Both gateways answer so within ten seconds, and not only one of them."""
        deadline = time.monotonic() + 10
        while set(self.statuses(path, 2, user)) != {status}:
            assert time.monotonic() < deadline, f"{path} is not answered {status}"
            time.sleep(0.2)


def value(response: Response, name: str) -> str | None:
    return next((text for key, text in response.headers if key.lower() == name.lower()), None)


def _filled(document: Any, values: dict[str, int | str]) -> Any:
    text = json.dumps(document)
    for name, port in values.items():
        text = text.replace(f"${{{name}}}", str(port))
    return json.loads(text)


def scenario(on_failure: str, redis: str, service: int, values: dict[str, int | str]) -> Scenario:
    """`redis` is the store's URL, `service` the port of the rate limit service."""
    store = {
        "redis": redis,
        "password": {"secret": {"env": "REDIS_PASSWORD"}},
        "service": f"127.0.0.1:{service}",
        "on_failure": on_failure,
    }
    return Scenario.model_construct(
        summary="cluster",
        platform={**_PLATFORM, "rate_limit_store": store},
        services=_filled([_MAIN, _COSTLY, _ENCRYPTED], values),
        environ=ENVIRON,
        together=False,
        cases=[],
    )


@contextlib.contextmanager
def started(
    variant: Variant, on_failure: str, service: Service, directory: Path, redis: Redis, environ: Mapping[str, str]
) -> Iterator[Pair]:
    """`environ` is what the gateways have besides the policies' secrets."""
    with contextlib.ExitStack() as stack:
        asked = RateLimitService(directory / "0/ratelimit/config/gwc.yaml", redis.start())
        stack.callback(redis.stop)
        pair = Pair(variant, [], [], service.upstream, redis, None)
        for _ in range(2):
            values: dict[str, int | str] = {"LISTEN": free_port(), "ADMIN": free_port(), **service.upstream.ports}
            values["PKI"] = str(service.pki)
            pair.gateways.append(_written(pair, scenario(on_failure, redis.url, asked.port, values), values, directory))
        if variant.target.name == "envoy":
            pair.service = asked.start()
            stack.callback(asked.stop)
        for number in range(2):
            binary = variant.engine.find(variant.profile)
            pair.running.append(variant.engine.launch(binary, directory / str(number), {**ENVIRON, **environ}))
            stack.callback(pair.running[-1].stop)
        yield pair


def _written(pair: Pair, policies: Scenario, values: dict[str, int | str], directory: Path) -> Gateway:
    gateway, _ = accepted_gateway(policies, pair.variant, values)
    artifact = pair.variant.target.emit(gateway, pair.variant.profile)
    assert pair.variant.target.judge(artifact) == ()
    assert not any(PASSWORD in output.text for output in artifact.files.values())
    write(artifact, directory / str(len(pair.gateways)), ENVIRON)
    return gateway
