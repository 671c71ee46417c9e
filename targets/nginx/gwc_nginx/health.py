"""Active health checks: what the njs module asks, and how often."""

from __future__ import annotations

from collections.abc import Iterator

from gwc.ir import Gateway, Service
from gwc_nginx.conf import Directive, block, d
from gwc_nginx.quoting import milliseconds

_LONGEST = 1.0
_SHARE = 0.8
"""Seconds that a check may take to find its endpoint, to connect and to answer each, or a share of the time to the next
check where that is less. A script that still runs then is killed; the next one counts its checks as failed."""


def checked(service: Service) -> bool:
    """Checks over TLS cannot be verified with each service's own authority, so there are none."""
    return service.upstream.health is not None and service.upstream.tls is None


def data(gateway: Gateway) -> dict[str, object]:
    """By service: milliseconds between checks, and the address of each endpoint's."""
    found: dict[str, object] = {}
    for service in gateway.services:
        health = service.upstream.health
        if health is not None and checked(service):
            urls = [f"http://{endpoint.address}{health.path}" for endpoint in service.upstream.endpoints]
            found[service.name] = {"every": round(health.every * 1000), "urls": urls}
    return found


def location(gateway: Gateway) -> Iterator[Directive]:
    every = [s.upstream.health.every for s in gateway.services if s.upstream.health is not None and checked(s)]
    if every:
        longest = milliseconds(min(_LONGEST, _SHARE * min(every)))
        yield block("location", "@gwc_health", of=(
            d("js_periodic", "health.check", f"interval={milliseconds(min(every))}"),
            d("js_fetch_timeout", longest),
            d("resolver_timeout", longest),
        ))  # fmt: skip
