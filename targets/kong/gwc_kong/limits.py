"""Limits, caps and budgets of one route for the plugin, from every level that it belongs to."""

from __future__ import annotations

from collections.abc import Iterator

from gwc.features import limits as all_limits
from gwc.ir import Gateway, Limit, LimitKey, RateLimitStore, Route, Service
from gwc_kong.secrets import vault_reference
from gwc_kong.yaml_text import At, at

STORE_VARIABLE = "GWC_RATE_LIMIT_STORE_PASSWORD"


def store_in_use(gateway: Gateway) -> RateLimitStore | None:
    """The policy's store, if anything is counted in it."""
    counted = any(limit.cluster for _, limit in all_limits(gateway))
    counted = counted or any(s.budget is not None and s.budget.cluster for s in gateway.services)
    return gateway.rate_limit_store if counted else None


def shared_store(gateway: Gateway) -> Iterator[tuple[str, object]]:
    """Where the plugin counts what all gateways share. The password stays a reference."""
    settings = store_in_use(gateway)
    if settings is not None:
        yield "store", _store(settings)


def _store(settings: RateLimitStore) -> dict[str, object]:
    config: dict[str, object] = {
        "host": at(settings, "redis", settings.redis.host),
        "port": at(settings, "redis", settings.redis.port),
        "tls": settings.redis_tls,
        "database": settings.redis_database,
        "on_failure": at(settings, "on_failure", settings.on_failure),
    }
    if settings.password is not None:
        config["password"] = at(settings, "password", vault_reference(settings.password, STORE_VARIABLE))
    return config


def guards(
    gateway: Gateway, service: Service, route: Route, *, together: bool, checked: bool
) -> Iterator[tuple[str, object]]:
    """`together`: the profile counts with other gateways; `checked`: gwc's active checks reach the service."""
    every = [*gateway.limits, *service.limits, *route.limits]
    # A public route has no users, so what counts users does not apply to it.
    applying = [limit for limit in every if route.auth is not None or limit.key is not LimitKey.USER]
    shared = [limit for limit in applying if limit.cluster and together]
    own = [limit for limit in applying if not (limit.cluster and together)]
    yield "limits_before", [_limit(limit) for limit in own if limit.key is LimitKey.IP]
    yield "limits_after", [_limit(limit) for limit in own if limit.key is not LimitKey.IP]
    if shared:
        yield "shared_before", [_limit(limit) for limit in shared if limit.key is LimitKey.IP]
        yield "shared_after", [_limit(limit) for limit in shared if limit.key is not LimitKey.IP]
    yield "caps", list(_caps(gateway, service))
    if service.budget is not None:
        if route.auth is not None:
            units = service.budget.units
            fields = {"units": units.tokens, "period": units.period, "cluster": service.budget.cluster and together}
            yield "budget", at(service.budget, "units", fields)
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
