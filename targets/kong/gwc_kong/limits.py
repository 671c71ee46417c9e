"""Limits, caps and budgets of one route for the plugin, from every level that it belongs to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from gwc.features import limits as all_limits
from gwc.ir import Breaker, Budget, Gateway, Health, Limit, LimitKey, RateLimitStore, Route, Service
from gwc_kong.secrets import vault_reference
from gwc_kong.sharing import At, Shared, at

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


class Guards:
    """What all routes of a service have of these in common, made once."""

    def __init__(self, gateway: Gateway, service: Service, *, together: bool, checked: bool) -> None:
        """`together`: the profile counts with other gateways; `checked`: gwc's active checks reach the service."""
        upstream = service.upstream
        self._together, self._budget = together, service.budget
        limits = [*gateway.limits, *service.limits]
        self._limits = [(limit, at(limit, "rate", Shared(_limit, limit))) for limit in limits]
        self._common = {known: Shared(_common, known, together, *limits) for known in (False, True)}
        own = at(upstream, "concurrency", upstream.concurrency)
        self._caps = Shared(_caps, at(gateway, "concurrency", gateway.concurrency), own, service.name)
        self._upstream = Shared(_upstream, upstream.breaker, upstream.health if checked else None)
        self._behind = Shared(_all, self._caps, self._upstream)

    def of(self, route: Route) -> Iterator[Mapping[str, object]]:
        known = route.auth is not None
        if route.limits:
            own = [(limit, at(limit, "rate", _limit(limit))) for limit in route.limits]
            yield _lists(known, self._together, [*self._limits, *own])
        else:
            yield self._common[known]
        if self._budget is None:
            yield self._behind
        else:
            cost = at(route, "cost", route.cost) if known else None
            yield Shared(_all, self._caps, Shared(_budget, self._budget, cost, self._together), self._upstream)


def _common(known: bool, together: bool, *limits: Limit) -> Mapping[str, object]:
    return _lists(known, together, [(limit, at(limit, "rate", Shared(_limit, limit))) for limit in limits])


def _limit(limit: Limit) -> Mapping[str, object]:
    config: dict[str, object] = {
        "id": limit.id,
        "key": limit.key.value,
        "tokens": limit.rate.tokens,
        "period": limit.rate.period,
        "burst": limit.burst,
        "shadow": limit.shadow,
    }
    return config if limit.header is None else {**config, "header": limit.header}


_Listed = tuple[Limit, At]
"""A limit, and its settings."""


def _lists(known: bool, together: bool, limits: list[_Listed]) -> dict[str, object]:
    """`known`: whether the route has users. To a public one what counts users does not apply."""
    applying = [one for one in limits if known or one[0].key is not LimitKey.USER]
    shared = [one for one in applying if one[0].cluster] if together else []
    lists = _before_and_after("limits", [one for one in applying if not one[0].cluster] if shared else applying)
    return lists | _before_and_after("shared", shared) if shared else lists


def _before_and_after(name: str, limits: list[_Listed]) -> dict[str, object]:
    """Before the caller is known, and after."""
    return {
        f"{name}_before": [settings for limit, settings in limits if limit.key is LimitKey.IP],
        f"{name}_after": [settings for limit, settings in limits if limit.key is not LimitKey.IP],
    }


def _all(*pieces: Shared) -> Mapping[str, object]:
    return {name: item for piece in pieces for name, item in piece.made().items()}


def _caps(gateway: At, upstream: At, service: str) -> Mapping[str, object]:
    caps = [(cap, name) for cap, name in ((gateway, "*"), (upstream, service)) if cap.value is not None]
    return {"caps": [replace(cap, value={"name": name, "most": cap.value}) for cap, name in caps]}


def _budget(budget: Budget, cost: At | None, together: bool) -> Mapping[str, object]:
    """`cost` None: no user spends anything."""
    config: dict[str, object] = {}
    if cost is not None:
        units = {"units": budget.units.tokens, "period": budget.units.period, "cluster": budget.cluster and together}
        config |= {"budget": at(budget, "units", units), "cost": cost}
    return config if budget.charge is None else {**config, "charge": at(budget, "charge", budget.charge)}


def _upstream(breaker: Breaker | None, health: Health | None) -> Mapping[str, object]:
    config: dict[str, object] = {}
    if breaker is not None:
        config["breaker"] = at(breaker, "failures", {"failures": breaker.failures, "open": breaker.open})
    if health is not None:
        config["health"] = at(health, "path", {"path": health.path, "every": health.every})
    return config
