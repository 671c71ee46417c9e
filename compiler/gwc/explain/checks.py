"""A request's way through the gateway: every check in the order in which they apply."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gwc.explain.values import limit_text
from gwc.ir import Cache, Gateway, Limit, LimitKey, Node, Origin, Route, Service
from gwc.units import format_duration, format_rate, format_size


@dataclass(frozen=True, slots=True)
class Check:
    """`refusal` is what the client gets, status and type; empty where nothing is refused. `what` says what is checked.

    `applies` False: it is written, and this request passes it by; `what` says why.
    """

    name: str
    what: str
    refusal: str
    origin: Origin | None
    applies: bool = True


def checks(gateway: Gateway, service: Service, route: Route, method: str, user: str | None) -> tuple[Check, ...]:
    """In order. `user` is the verified one, None where the caller named none."""
    every = [*gateway.limits, *service.limits, *route.limits]
    return tuple(
        check
        for stage in (
            _limits([limit for limit in every if limit.key is LimitKey.IP], route, user),
            _cors(route),  # nobody signs a preflight
            _auth(route, user),
            _limits([limit for limit in every if limit.key is not LimitKey.IP], route, user),
            _cache(route, method),
            _budget(service, route, user),
            _body(route),
            _capped("concurrency, all services", gateway, gateway.concurrency),
            _capped("concurrency", service.upstream, service.upstream.concurrency),
            _breaker(service),
            _service(service, route),
        )
        for check in stage
    )


def _cors(route: Route) -> Iterator[Check]:
    if route.cors is not None:
        origins = ", ".join(route.cors.origins)
        yield Check("cors", f"a preflight from {origins} is answered here", "", route.cors.provenance["origins"])


def _capped(name: str, node: Node, most: int | None) -> Iterator[Check]:
    if most is not None:
        yield Check(name, f"at most {most} in flight", "503 overloaded", node.provenance["concurrency"])


def _limits(limits: Sequence[Limit], route: Route, user: str | None) -> Iterator[Check]:
    for limit in limits:
        public = limit.key is LimitKey.USER and route.auth is None
        said = limit_text(limit) + (": no user on a public route" if public else _bucket(limit, user))
        refusal = "" if limit.shadow or public else "429 rate-limited"
        yield Check(f"limit per {_key(limit)}", said, refusal, limit.provenance["rate"], not public)


def _key(limit: Limit) -> str:
    return f"header {limit.header}" if limit.key is LimitKey.HEADER else limit.key.value


def _bucket(limit: Limit, user: str | None) -> str:
    return f", in the bucket of {user}" if limit.key is LimitKey.USER and user else ""


def _auth(route: Route, user: str | None) -> Iterator[Check]:
    origin = route.provenance["auth"]
    if route.auth is None:
        yield Check("auth", "none: the route is public", "", origin, applies=False)
        return
    wanted = " or ".join(route.auth.providers)
    who = f"; {user} has one" if user else ""
    yield Check("auth", f"a valid {wanted}{who}", "401 unauthorized", origin)
    if route.auth.scopes:
        scopes = ", ".join(route.auth.scopes)
        yield Check("scopes", f"every one of {scopes}", "403 forbidden", route.auth.provenance["scopes"])


def _body(route: Route) -> Iterator[Check]:
    what = f"the body is at most {format_size(route.max_body)}"
    yield Check("max_body", what, "413 payload-too-large", route.provenance["max_body"])


def _cache(route: Route, method: str) -> Iterator[Check]:
    if route.cache is None:
        return
    origin = route.cache.provenance["ttl"]
    if method not in ("GET", "HEAD"):
        yield Check("cache", f"{method} passes it by (X-Cache: BYPASS)", "", origin, applies=False)
        return
    yield Check(
        "cache",
        f"an answer kept for {format_duration(route.cache.ttl)} ends it here: {_keyed(route.cache)}",
        "",
        origin,
    )


def _keyed(cache: Cache) -> str:
    parts = ["host", "path", *(f"?{name}" for name in cache.vary_query), *cache.vary_headers]
    return "key " + ", ".join([*parts, *(["user"] if cache.per_user else [])])


def _budget(service: Service, route: Route, user: str | None) -> Iterator[Check]:
    budget = service.budget
    if budget is None:
        return
    origin = budget.provenance["units"]
    if route.auth is None:
        yield Check("budget", f"{format_rate(budget.units)} per user: no user on a public route", "", origin, False)
        return
    whose = f"{user}'s " if user else ""
    said = f"takes {route.cost} of {whose}{format_rate(budget.units)}"
    yield Check(
        "budget", said + (f", settled by {budget.charge}" if budget.charge else ""), "429 budget-exhausted", origin
    )


def _breaker(service: Service) -> Iterator[Check]:
    breaker = service.upstream.breaker
    if breaker is not None:
        said = f"an endpoint rests for {format_duration(breaker.open)} after {breaker.failures} failures in a row"
        yield Check("breaker", said, "503 circuit-open", breaker.provenance["failures"])


def _service(service: Service, route: Route) -> Iterator[Check]:
    places = ", ".join(f"{one.scheme}://{one.address}" for one in service.upstream.endpoints)
    bound = format_duration(route.timeouts.request)
    said = f"{places}, within {bound}" + (" to the first byte" if route.stream else "")
    yield Check("service", said, "504 timeout, 502 bad-gateway", service.upstream.provenance["endpoints"])
