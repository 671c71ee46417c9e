"""Every effective value of a route: in the policy's words, with who decided it, where, and over whom."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial

from gwc.credentials import looks_like_credential
from gwc.document import Path
from gwc.ir import (
    Auth,
    Budget,
    Cache,
    Gateway,
    HeaderChanges,
    Level,
    Limit,
    LimitKey,
    Node,
    Origin,
    Route,
    Service,
    Upstream,
)
from gwc.units import format_duration, format_rate, format_share, format_size

HIDDEN = "(not shown: it looks like a credential)"


@dataclass(frozen=True, slots=True)
class Value:
    """`path` is where every level would write it, below its own settings; None where levels do not override."""

    group: str
    field: str
    text: str
    origin: Origin
    path: Path | None = None


Values = Iterator[Value]


def values(gateway: Gateway, service: Service, route: Route) -> Values:
    """In the order in which a request meets them."""
    yield from _matching(service, route)
    yield from _auth(route)
    yield from (_limit(limit) for limit in effective_limits(gateway, service, route))
    yield from _cache(route)
    yield from _budget(service, route)
    yield from _in_flight(gateway, service)
    yield from _timeouts(route)
    yield from _retries(route)
    yield from _messages(route)
    yield from _cors(route)


def shared(service: Service) -> Values:
    """What all routes of the service have in common."""
    yield from map(_limit, service.limits)
    if service.budget is not None:
        yield from _units(service.budget)
    yield from _upstream(service.upstream)


def effective_limits(gateway: Gateway, service: Service, route: Route) -> Iterator[Limit]:
    """Those that a request for the route has to pass, from the platform's to its own: a public route has no users."""
    for limit in (*gateway.limits, *service.limits, *route.limits):
        if route.auth is not None or limit.key is not LimitKey.USER:
            yield limit


def limit_text(limit: Limit) -> str:
    """`300/min, burst 60, shadow, over all gateways`."""
    burst = f"burst {limit.burst}" if limit.burst != limit.rate.tokens else ""
    notes = ("shadow" if limit.shadow else "", "over all gateways" if limit.cluster else "")
    return listed((format_rate(limit.rate), burst, *notes))


def limit_key(limit: Limit) -> str:
    return f"per {limit.header or limit.key.value}"


def auth_text(auth: Auth | None) -> str:
    return "public" if auth is None else " or ".join(auth.providers)


def listed(parts: Iterable[object]) -> str:
    return ", ".join(text for part in parts if (text := str(part)))


def _value(group: str, node: Node, leaf: str, text: str, field: str = "", path: Path | None = None) -> Value:
    return Value(group, field or leaf, text, node.provenance[leaf], path)


def _matching(service: Service, route: Route) -> Values:
    put = partial(_value, "Matching")
    yield put(service, "hosts", listed(service.hosts) or "every host")
    yield put(route, "path", route.path.text)
    yield put(route, "methods", listed(route.methods))
    if service.strip:
        yield put(service, "base_path", f"{service.strip} is taken off before forwarding")
    if route.stream:
        yield put(route, "stream", "server-sent events pass one by one")
    if route.websocket:
        yield put(route, "websocket", "the connection may upgrade")


def _auth(route: Route) -> Values:
    if route.auth is None:
        yield _value("Authentication", route, "auth", "public", path=("auth",))
        return
    put = partial(_value, "Authentication", route.auth)
    yield put("providers", auth_text(route.auth), "auth.any_of", ("auth", "any_of"))
    if route.auth.scopes:
        yield put("scopes", f"all of {listed(route.auth.scopes)}", "auth.scopes", ("auth", "scopes"))


def _limit(limit: Limit) -> Value:
    return _value("Limits", limit, "rate", limit_text(limit), limit_key(limit))


def _cache(route: Route) -> Values:
    if route.cache is None:
        yield _value("Cache", route, "cache", "nothing is kept", path=("cache",))
        return
    yield from _kept(route.cache)


def _kept(cache: Cache) -> Values:
    put = partial(_value, "Cache", cache)
    yield put("ttl", format_duration(cache.ttl), "cache.ttl", ("cache", "ttl"))
    yield put("per_user", "user" if cache.per_user else "public", "cache.scope", ("cache", "scope"))
    query = listed(cache.vary_query) or "none reaches the service"
    yield put("vary_query", query, "cache.vary.query", ("cache", "vary", "query"))
    if cache.vary_headers:
        yield put("vary_headers", listed(cache.vary_headers), "cache.vary.headers", ("cache", "vary", "headers"))
    for leaf in ("if_error", "while_revalidate"):
        if seconds := getattr(cache, f"stale_{leaf}"):
            yield put(f"stale_{leaf}", format_duration(seconds), f"cache.stale.{leaf}", ("cache", "stale", leaf))
    if cache.negative_ttl is not None:
        yield put("negative_ttl", format_duration(cache.negative_ttl), "cache.negative_ttl", ("cache", "negative_ttl"))


def _budget(service: Service, route: Route) -> Values:
    if service.budget is not None and route.auth is not None:
        yield from _units(service.budget)
        yield _value("Budget", route, "cost", f"{route.cost} a request")


def _units(budget: Budget) -> Values:
    put = partial(_value, "Budget", budget)
    yield put("units", f"{format_rate(budget.units)} for each user", "budget.units")
    if budget.charge:
        yield put("charge", f"settled by {budget.charge}", "budget.charge")
    if budget.cluster:
        yield put("cluster", "over all gateways", "budget.scope")


def _in_flight(gateway: Gateway, service: Service) -> Values:
    if gateway.concurrency is not None:
        text = f"{gateway.concurrency} in flight, over all services"
        yield _value("Upstream", gateway, "concurrency", text)
    yield from _upstream(service.upstream)


def _upstream(upstream: Upstream) -> Values:
    put = partial(_value, "Upstream")
    several = len({endpoint.weight for endpoint in upstream.endpoints}) > 1
    for endpoint in upstream.endpoints:
        weight = f", weight {endpoint.weight}" if several else ""
        yield put(endpoint, "address", f"{endpoint.scheme}://{endpoint.address}{weight}", "upstream.endpoints")
    if upstream.concurrency is not None:
        yield put(upstream, "concurrency", f"{upstream.concurrency} in flight", "upstream.concurrency")
    if upstream.breaker is not None:
        breaker = f"opens after {upstream.breaker.failures} failures, for {format_duration(upstream.breaker.open)}"
        yield put(upstream.breaker, "failures", breaker, "upstream.breaker")
    if upstream.health is not None:
        health = f"{upstream.health.path} every {format_duration(upstream.health.every)}"
        yield put(upstream.health, "path", health, "upstream.health")


def _timeouts(route: Route) -> Values:
    for leaf, more in (("connect", " a try"), ("request", _bounds(route)), ("idle", " between bytes")):
        text = format_duration(getattr(route.timeouts, leaf)) + more
        yield _value("Timeouts", route.timeouts, leaf, text, f"timeouts.{leaf}", ("timeouts", leaf))


def _bounds(route: Route) -> str:
    """What of a request `timeouts.request` is the time of."""
    if route.websocket:
        return ", which bounds no websocket: idle does"
    return " to the first byte" if route.stream else ", retries included"


def request_bound(route: Route) -> str:
    """How long a client may have to wait: `15s`, or `idle 1m` where nothing else ends it."""
    return (
        f"idle {format_duration(route.timeouts.idle)}" if route.websocket else format_duration(route.timeouts.request)
    )


def _retries(route: Route) -> Values:
    retries = route.retries
    put = partial(_value, "Retries", retries)
    extra = "none" if not retries.attempts else str(retries.attempts)
    yield put("attempts", extra, "retries.attempts", ("retries", "attempts"))
    if not retries.attempts:
        return
    causes = listed((*(cause.value for cause in retries.causes), *retries.statuses))
    yield put("causes", causes, "retries.when", ("retries", "when"))
    if retries.per_try is not None:
        yield put("per_try", format_duration(retries.per_try), "retries.per_try", ("retries", "per_try"))
    pause = f"{format_duration(retries.backoff_base)} to {format_duration(retries.backoff_max)}"
    yield put("backoff_base", pause, "retries.backoff", ("retries", "backoff", "base"))
    if retries.budget is not None:
        share = f"{format_share(retries.budget)} of live requests"
        yield put("budget", share, "retries.budget", ("retries", "budget"))
    if retries.unsafe:
        yield put("unsafe", "POST and PATCH, too", "retries.unsafe", ("retries", "unsafe"))


def _messages(route: Route) -> Values:
    yield _value("Messages", route, "max_body", format_size(route.max_body), path=("max_body",))
    yield from _headers("request", route.headers.request)
    yield from _headers("response", route.headers.response)


def _headers(side: str, changes: HeaderChanges) -> Values:
    for name, value in changes.set:
        shown = HIDDEN if looks_like_credential(name, value) else value
        yield Value("Messages", f"headers.{side}.set", f"{name}: {shown}", _header_origin(changes, "set", name))
    for name in changes.remove:
        yield Value("Messages", f"headers.{side}.remove", name, _header_origin(changes, "remove", name))


def _header_origin(changes: HeaderChanges, leaf: str, name: str) -> Origin:
    return changes.provenance.get(f"{leaf}.{name.lower()}", changes.provenance[leaf])


def _cors(route: Route) -> Values:
    cors = route.cors
    if cors is None:
        return
    put = partial(_value, "CORS", cors)
    for leaf in ("origins", "methods", "headers"):
        if names := getattr(cors, leaf):
            yield put(leaf, listed(names), f"cors.{leaf}", ("cors", leaf))
    credentials = "allowed" if cors.credentials else "not allowed"
    yield put("credentials", credentials, "cors.credentials", ("cors", "credentials"))
    yield put("max_age", format_duration(cors.max_age), "cors.max_age", ("cors", "max_age"))


LEVELS = {Level.DEFAULT: "built in", Level.PLATFORM: "platform", Level.SERVICE: "service", Level.ROUTE: "route"}
"""Who decided, in the reader's words."""
