"""Breakers: what the njs module needs to choose among a service's endpoints, and an upstream for each of them."""

from __future__ import annotations

from math import gcd

from gwc.ir import Gateway, Service

ZONE = "gwc_breaker:4m timeout=1d evict type=number"


def guarded(service: Service) -> bool:
    return service.upstream.breaker is not None


def endpoint_name(service: Service, index: int) -> str:
    """The upstream that is one endpoint alone. A host name has no such dots inside a DNS label."""
    return f"{service.name}.at.{index}"


def data(gateway: Gateway) -> dict[str, object]:
    """By service; times in milliseconds, weights in their smallest proportion."""
    found: dict[str, object] = {}
    for service in gateway.services:
        breaker = service.upstream.breaker
        if breaker is not None:
            weights = [endpoint.weight for endpoint in service.upstream.endpoints]
            common = gcd(*weights) or 1
            smallest = [weight // common for weight in weights]
            found[f":{service.name}"] = {
                "failures": breaker.failures,
                "open": round(breaker.open * 1000),
                "weights": smallest,
            }
    return found
