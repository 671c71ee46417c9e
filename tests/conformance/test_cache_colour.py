"""Nothing that is no part of the key colours an answer: what is kept is what each client would have got by itself.

Odd requests go through a warm cache first, and then each through an empty one. The service shows what it saw, so the
two answers differ if a client could say anything that reaches the service and that another client's answer repeats.
"""

from __future__ import annotations

import json
import random
import uuid
from pathlib import Path

import pytest

from conformance.client import Request, exchange
from conformance.conftest import on_each_gateway, skip_where_missing
from conformance.harness import Launched, Service, launched
from conformance.scenario import SCENARIOS
from conformance.script import Script
from conformance.variants import Variant
from gwc.support import Fidelity

REQUESTS = 400
PATHS = ("x", "/x", "./x", "y/../x", "%78", "x/", "X", "x%20", "x%2520", ";x", "x;", "%3Fq=1")
QUERIES = (
    *(
        "",
        "?",
        "?q=1",
        "?z=2&q=1",
        "?q=%31",
        "?q=1&q=2",
        "?q=2&q=1",
        "?q",
        "?q=",
        "?Q=1",
        "?q[]=1",
        "?q=1;z=2",
        "?q=1?",
    ),
    *("?q=1%26z=2", "?%71=1", "?z=1?q=1", "?q=+", "?q=%20", "?&&q=1&&", "?q=a/../b", "?q=%2e%2e", "?q==1"),
)
NAMES = (
    *("Accept-Language", "X-Tenant", "x-tenant", "X_Tenant", "Accept", "Accept-Encoding", "Cookie", "Origin", "Range"),
    *("Authorization", "Forwarded", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Forwarded-Path"),
    *("X-Forwarded-Prefix", "X-Forwarded-For", "X-Real-IP", "X-Original-URL", "X-HTTP-Method-Override", "Via", "Proxy"),
    *("Content-Type", "If-None-Match", "If-Range", "Cache-Control", "Pragma", "tracestate", "User-Agent", "Referer"),
)
VALUES = ("", "a", "b", "a,b", "a;b", '"a"', "a|b", "%61", "1:a", "-", "a b")
CONNECTIONS = (
    "close",
    "X-Tenant, close",
    "Accept-Language, close",
    "close, x-forwarded-proto",
    "close, Cookie",
    "close, te",
)
HOSTS = ("gateway.test", "gateway.test", "GATEWAY.test", "gateway.test:1", "other.test")
OF_ONE_REQUEST = {"x-request-id", "traceparent"}


@pytest.mark.live
@on_each_gateway("colour")
def test_an_answer_is_what_its_own_request_would_have_got(variant: Variant, service: Service, tmp_path: Path) -> None:
    skip_where_missing(variant)
    with launched(SCENARIOS / "cache/headers.yaml", variant, service, tmp_path) as gateway:
        if gateway.declared.get("cache", Fidelity.EXACT) is not Fidelity.EXACT:
            pytest.skip(f"{variant.promise} cannot be emptied between two requests")
        colours = _Colours(gateway)
        requests = colours.requests(random.Random(12))
        warm = [colours.ask(request) for request in requests]
        alone = [colours.alone(request) for request in requests]
    assert sum(cache == "HIT" for cache, _ in warm) > REQUESTS / 4
    pairs = zip(requests, warm, alone, strict=True)
    faults = [f"{request}\n  got  {had}\n  not  {own}" for request, (_, had), (_, own) in pairs if had != own]
    assert not faults, "\n".join(faults[:3])


class _Colours:
    def __init__(self, gateway: Launched) -> None:
        self._address, self._admin = gateway.address, gateway.admin
        self._mark = f"case-{uuid.uuid4().hex[:12]}"
        gateway.upstream.recorder.mark(self._mark, self._mark, [Script()])

    def requests(self, dice: random.Random) -> list[Request]:
        return [self._request(dice) for _ in range(REQUESTS)]

    def _request(self, dice: random.Random) -> Request:
        headers = [(name, dice.choice(VALUES)) for name in NAMES if dice.random() < 0.12]
        dice.shuffle(headers)
        connection = dice.choice(CONNECTIONS) if dice.random() < 0.15 else "close"
        target = f"/c/{self._mark}/{dice.choice(PATHS)}{dice.choice(QUERIES)}"
        fixed = (("Host", dice.choice(HOSTS)), ("Connection", connection))
        body = b"evil=1" if dice.random() < 0.08 else b""
        return Request("GET", target, (*fixed, *headers), body, chunked=bool(body) and dice.random() < 0.5)

    def ask(self, request: Request) -> tuple[str | None, object]:
        """X-Cache, and what the client learns of what the service saw: the status alone where it is no 200."""
        response = exchange(self._address, request)
        seen = json.loads(response.body) if response.status == 200 else None
        return response.value("x-cache"), seen and (seen["method"], seen["target"], seen["body_length"], _shown(seen))

    def alone(self, request: Request) -> tuple[str | None, object]:
        purged = exchange(self._admin, Request("POST", "/cache/purge/main/any", (("Host", "admin"),)))
        assert purged.status == 204
        return self.ask(request)


def _shown(seen: dict[str, list[list[str]]]) -> list[tuple[str, str]]:
    pairs = [(name.lower(), value) for name, value in seen["headers"]]
    none = ("content-length", "0")  # says what its absence says
    return sorted(pair for pair in pairs if pair[0] not in OF_ONE_REQUEST and pair != none)
