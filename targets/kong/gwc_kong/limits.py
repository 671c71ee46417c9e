"""Limits, caps and budgets of one route for the plugin, from every level that it belongs to."""

from __future__ import annotations

from collections.abc import Iterator

from gwc.ir import Gateway, Limit, LimitKey, Route, Service
from gwc_kong.yaml_text import At, at


def guards(gateway: Gateway, service: Service, route: Route, *, checked: bool) -> Iterator[tuple[str, object]]:
    """`checked`: the profile makes active checks."""
    every = [*gateway.limits, *service.limits, *route.limits]
    # A public route has no users, so what counts users does not apply to it.
    applying = [limit for limit in every if route.auth is not None or limit.key is not LimitKey.USER]
    yield "limits_before", [_limit(limit) for limit in applying if limit.key is LimitKey.IP]
    yield "limits_after", [_limit(limit) for limit in applying if limit.key is not LimitKey.IP]
    yield "caps", list(_caps(gateway, service))
    if service.budget is not None:
        if route.auth is not None:
            units = service.budget.units
            yield "budget", at(service.budget, "units", {"units": units.tokens, "period": units.period})
            yield "cost", at(route, "cost", route.cost)
        if service.budget.charge is not None:
            yield "charge", at(service.budget, "charge", service.budget.charge)
    if service.upstream.breaker is not None:
        breaker = service.upstream.breaker
        yield "breaker", at(breaker, "failures", {"failures": breaker.failures, "open": breaker.open})
    if service.upstream.health is not None and checked:
        health = service.upstream.health
        yield "health", at(health, "path", {"path": health.path, "every": health.every})


def _limit(limit: Limit) -> At:
    config: dict[str, object] = {
        "id": limit.id,
        "key": limit.key.value,
        "tokens": limit.rate.tokens,
        "period": limit.rate.period,
        "burst": limit.burst,
        "shadow": limit.shadow,
    }
    if limit.header is not None:
        config["header"] = limit.header
    return at(limit, "rate", config)


def _caps(gateway: Gateway, service: Service) -> Iterator[object]:
    if gateway.concurrency is not None:
        yield at(gateway, "concurrency", {"name": "*", "most": gateway.concurrency})
    if service.upstream.concurrency is not None:
        yield at(service.upstream, "concurrency", {"name": service.name, "most": service.upstream.concurrency})
