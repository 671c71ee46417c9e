"""Breakers: what the njs module needs to choose among a service's endpoints, and an upstream for each of them."""

from __future__ import annotations

from math import gcd

from gwc.ir import Gateway, Service
from gwc_nginx.health import checked

ZONE = "gwc_breaker:4m timeout=1d evict type=number"


def guarded(service: Service) -> bool:
    """Whether gwc chooses the endpoint instead of NGINX: there is a breaker, or there are checks."""
    return service.upstream.breaker is not None or checked(service)


def endpoint_name(service: Service, index: int) -> str:
    """The upstream that is one endpoint alone. A host name has no such dots inside a DNS label."""
    return f"{service.name}.at.{index}"


def data(gateway: Gateway) -> dict[str, object]:
    """By service; times in milliseconds, weights in their smallest proportion. No failures: no breaker."""
    found: dict[str, object] = {}
    for service in gateway.services:
        breaker = service.upstream.breaker
        if guarded(service):
            weights = [endpoint.weight for endpoint in service.upstream.endpoints]
            common = gcd(*weights) or 1
            smallest = [weight // common for weight in weights]
            found[f":{service.name}"] = {
                "failures": breaker.failures if breaker is not None else 0,
                "open": round(breaker.open * 1000) if breaker is not None else 0,
                "weights": smallest,
                "endpoints": [str(endpoint.address) for endpoint in service.upstream.endpoints],
            }
    return found
