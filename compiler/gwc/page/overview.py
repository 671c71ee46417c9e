"""The way of any request, as a picture of the whole platform: each check with what there is of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from gwc.counted import counted
from gwc.features import limits, routes
from gwc.ir import Gateway, LimitKey
from gwc.page.way import MOST_LINES, Stage


def overview(gateway: Gateway) -> tuple[Stage, ...]:
    """The same checks as those of a route. A line counts, so that it holds for all of them."""
    return (
        _stage("match", "Match", _matching(gateway), ("bad-request", "not-found", "method-not-allowed")),
        _stage("ip", "Per address", _limits(gateway, per_ip=True), ("rate-limited",)),
        _stage("auth", "Credentials", _auth(gateway), ("unauthorized", "forbidden")),
        _stage("limits", "Limits", _limits(gateway, per_ip=False), ("rate-limited",)),
        _stage("cache", "Cache", _cache(gateway), ()),
        _stage("budget", "Budget", _budget(gateway), ("budget-exhausted",)),
        _stage("body", "Body size", iter(("bounded everywhere",)), ("payload-too-large",)),
        _stage("upstream", "Overload", _upstream(gateway), ("overloaded", "circuit-open")),
        _stage("service", "Service", iter((counted(len(gateway.services), "service"),)), ("bad-gateway", "timeout")),
    )


def _stage(name: str, title: str, lines: Iterator[str], refusals: tuple[str, ...]) -> Stage:
    found = tuple(lines)[:MOST_LINES]
    return Stage(name, title, found, refusals if found else ())


def _matching(gateway: Gateway) -> Iterator[str]:
    yield counted(sum(1 for _ in routes(gateway)), "route")


def _limits(gateway: Gateway, *, per_ip: bool) -> Iterator[str]:
    found = [limit for _, limit in limits(gateway) if (limit.key is LimitKey.IP) is per_ip]
    if per_ip:
        yield from (counted(len(found), "limit") for _ in found[:1])
        return
    keys = Counter(limit.key.value for limit in found)
    yield from (f"{number} per {key}" for key, number in keys.most_common())


def _auth(gateway: Gateway) -> Iterator[str]:
    kinds: Counter[str] = Counter()
    for _, _, route in routes(gateway):
        kinds.update(route.auth.providers if route.auth else ("public",))
    yield from (f"{name}: {counted(number, 'route')}" for name, number in kinds.most_common())


def _cache(gateway: Gateway) -> Iterator[str]:
    kept = [route.cache for _, _, route in routes(gateway) if route.cache is not None]
    if kept:
        yield counted(len(kept), "route")
    if own := sum(cache.per_user for cache in kept):
        yield f"{own} for each user"


def _budget(gateway: Gateway) -> Iterator[str]:
    if number := sum(service.budget is not None for service in gateway.services):
        yield f"of {counted(number, 'service')}"


def _upstream(gateway: Gateway) -> Iterator[str]:
    if gateway.concurrency is not None:
        yield f"{gateway.concurrency} in flight in all"
    upstreams = [service.upstream for service in gateway.services]
    if capped := sum(upstream.concurrency is not None for upstream in upstreams):
        yield f"{counted(capped, 'service')} capped"
    if broken := sum(upstream.breaker is not None for upstream in upstreams):
        yield f"{counted(broken, 'breaker')}"
