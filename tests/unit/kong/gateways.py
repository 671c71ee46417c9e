"""Gateways for the Kong target's tests, built by hand."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from typing import Any

from gwc.ir import (
    Accept,
    Address,
    Endpoint,
    Gateway,
    GatewaySecret,
    HeaderChanges,
    Headers,
    Identity,
    Listen,
    PathTemplate,
    RequestId,
    Retries,
    RetryCause,
    Route,
    Secret,
    Segment,
    SegmentKind,
    Service,
    Timeouts,
    Upstream,
)

NO_CHANGES = HeaderChanges(set=(), remove=())
NO_RETRIES = Retries(
    attempts=0, causes=(), statuses=(), per_try=None, backoff_base=0.025, backoff_max=0.25, budget=None, unsafe=False
)
CONNECT_RETRY = replace(NO_RETRIES, attempts=1, causes=(RetryCause.CONNECT,))


def template(text: str) -> PathTemplate:
    return PathTemplate(text, tuple(_segment(part) for part in text[1:].split("/")))


def _segment(part: str) -> Segment:
    if part == "**":
        return Segment(SegmentKind.REST, "")
    if match := re.fullmatch(r"\{(.*)\}", part):
        return Segment(SegmentKind.PARAM, match[1])
    return Segment(SegmentKind.LITERAL, part)


def route(name: str, path: str, *methods: str, **changes: Any) -> Route:
    plain = Route(
        name=name,
        description="",
        path=template(path),
        methods=tuple(sorted(methods or ("GET",))),
        auth=None,
        timeouts=Timeouts(connect=1.0, request=10.0, idle=60.0),
        retries=NO_RETRIES,
        limits=(),
        cost=1,
        max_body=1024,
        cors=None,
        headers=Headers(request=NO_CHANGES, response=NO_CHANGES),
        cache=None,
        stream=False,
        websocket=False,
    )
    return replace(plain, **changes)


def service(name: str, *routes: Route, port: int = 8000, **changes: Any) -> Service:
    endpoint = Endpoint(scheme="http", address=Address(host="127.0.0.1", port=port), weight=100)
    upstream = Upstream(endpoints=(endpoint,), tls=None, concurrency=None, breaker=None, health=None)
    plain = Service(
        name=name,
        owner="team",
        description="",
        hosts=(),
        base_path="",
        strip="",
        upstream=upstream,
        limits=(),
        budget=None,
        routes=routes,
    )
    return replace(plain, **changes)


def gateway(*services: Service, http: int = 8080, admin: int = 9901, **changes: Any) -> Gateway:
    proof = GatewaySecret(header="X-Gateway-Secret", secret=Secret(source="env", name="GATEWAY_SECRET"))
    plain = Gateway(
        environment=None,
        now=date(2026, 1, 1),
        listen=Listen(
            http=Address(host="127.0.0.1", port=http), https=None, admin=Address(host="127.0.0.1", port=admin)
        ),
        trusted_proxies=(),
        identity=Identity(user_header="X-User-Id", gateway_secret=proof, jwt=(), api_key=None),
        request_id=RequestId(header="X-Request-ID", accept=Accept.ALWAYS),
        tracing=None,
        metrics_path="/metrics",
        access_log="json",
        error_type_base="https://errors.example.com/",
        rate_limit_store=None,
        limits=(),
        concurrency=None,
        services=services,
        targets={},
    )
    return replace(plain, **changes)
