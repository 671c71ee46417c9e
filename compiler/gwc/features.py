"""The features of the language, each under the name that `targets.<name>.accept` uses, and where a Gateway uses it.

A use is found by looking at the resolved Gateway, so that an inherited value counts like a written one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from gwc.derived import per_gateway
from gwc.diagnostics import Span
from gwc.frozen import dataclass
from gwc.ir import Gateway, Limit, LimitKey, Node, Origin, Route, Service

PLATFORM = "the platform"


class Use:
    """One use of a feature: the field of the node that holds it; for whoever asks, who wrote it and where.

    `subject` is PLATFORM, "assistant" or "assistant/ask".
    """

    __slots__ = ("field", "node", "subject")  # no dataclass: each check of a target makes one a route and feature

    def __init__(self, node: Node, field: str, subject: str) -> None:
        self.node, self.field, self.subject = node, field, subject

    @property
    def origin(self) -> Origin:
        return self.node.provenance[self.field]

    @property
    def span(self) -> Span:
        return self.origin.span


Uses = Callable[[Gateway], Iterator[Use]]


@dataclass(frozen=True, slots=True)
class Feature:
    """`name` is fixed; `summary` completes "gwc promises that ..."; `uses` finds it in a Gateway."""

    name: str
    summary: str
    uses: Uses


@per_gateway
def routes(gateway: Gateway) -> tuple[tuple[str, Service, Route], ...]:
    """Every route with its subject."""
    return tuple((f"{s.name}/{route.name}", s, route) for s in gateway.services for route in s.routes)


def limits(gateway: Gateway) -> Iterator[tuple[str, Limit]]:
    """Every limit of every level once, with its subject."""
    yield from ((PLATFORM, limit) for limit in gateway.limits)
    for service in gateway.services:
        yield from ((service.name, limit) for limit in service.limits)
    for subject, _, route in routes(gateway):
        for limit in route.limits:
            yield subject, limit


def _platform(pick: Callable[[Gateway], tuple[Node | None, str]], when: Callable[[Gateway], bool]) -> Uses:
    def found(gateway: Gateway) -> Iterator[Use]:
        node, field = pick(gateway)
        if node is not None and when(gateway):
            yield Use(node, field, PLATFORM)

    return found


def _services(pick: Callable[[Service], tuple[Node | None, str]], when: Callable[[Service], bool] = bool) -> Uses:
    def found(gateway: Gateway) -> Iterator[Use]:
        for service in gateway.services:
            node, field = pick(service)
            if node is not None and when(service):
                yield Use(node, field, service.name)

    return found


def _routes(pick: Callable[[Route], tuple[Node | None, str]], when: Callable[[Route], bool] = bool) -> Uses:
    def found(gateway: Gateway) -> Iterator[Use]:
        for subject, _, route in routes(gateway):
            node, field = pick(route)
            if node is not None and when(route):
                yield Use(node, field, subject)

    return found


def _limits(when: Callable[[Limit], bool]) -> Uses:
    def found(gateway: Gateway) -> Iterator[Use]:
        for subject, limit in limits(gateway):
            if when(limit):
                yield Use(limit, "rate", subject)

    return found


def _endpoints(gateway: Gateway) -> Iterator[Use]:
    for service in gateway.services:
        for endpoint in service.upstream.endpoints:
            yield Use(endpoint, "address", service.name)


def _weights(gateway: Gateway) -> Iterator[Use]:
    for service in gateway.services:
        if len({endpoint.weight for endpoint in service.upstream.endpoints}) > 1:
            for endpoint in service.upstream.endpoints:
                yield Use(endpoint, "weight", service.name)


def _jwt_urls(gateway: Gateway) -> Iterator[Use]:
    for provider in gateway.identity.jwt:
        if provider.jwks_url is not None:
            yield Use(provider, "jwks_url", PLATFORM)


def _any_of(gateway: Gateway) -> Iterator[Use]:
    for subject, _, route in routes(gateway):
        if route.auth is not None and len(route.auth.providers) > 1:
            yield Use(route.auth, "providers", subject)


def _provider(name: str) -> Uses:
    def found(gateway: Gateway) -> Iterator[Use]:
        for subject, _, route in routes(gateway):
            if route.auth is not None and name in route.auth.providers:
                yield Use(route.auth, "providers", subject)

    return found


def _retrying(route: Route) -> bool:
    return route.retries.attempts > 0


def _causes(route: Route) -> bool:
    return _retrying(route) and bool(route.retries.statuses or "reset" in route.retries.causes)


FEATURES: dict[str, Feature] = {
    f.name: f
    for f in (
        Feature("listen.http", "plain HTTP is served on the address", _platform(lambda g: (g.listen, "http"), lambda g: g.listen.http is not None)),
        Feature("listen.https", "HTTPS with HTTP/2 is served from the minimum version on", _platform(lambda g: (g.listen, "https"), lambda g: g.listen.https is not None)),
        Feature("listen.https.redirect", "plain HTTP is redirected to HTTPS", _platform(lambda g: (g.listen.https, "redirect"), lambda g: bool(g.listen.https and g.listen.https.redirect))),
        Feature("listen.admin", "readiness and metrics are served on the admin listener alone", _platform(lambda g: (g.listen, "admin"), bool)),
        Feature("trusted_proxies", "X-Forwarded-For counts from these networks only", _platform(lambda g: (g, "trusted_proxies"), lambda g: bool(g.trusted_proxies))),
        Feature("identity.user_header", "the user header comes from the gateway alone", _platform(lambda g: (g.identity, "user_header"), bool)),
        Feature("identity.gateway_secret", "the service gets proof that a request passed the gateway", _platform(lambda g: (g.identity, "gateway_secret"), lambda g: g.identity.gateway_secret is not None)),
        Feature("request_id", "every response carries the request id that the service got", _platform(lambda g: (g.request_id, "header"), bool)),
        Feature("traceparent", "the service always gets a valid traceparent", _platform(lambda g: (g.request_id, "accept"), bool)),
        Feature("tracing", "the gateway's root span is exported over OTLP", _platform(lambda g: (g.tracing, "otlp"), bool)),
        Feature("metrics", "Prometheus metrics under one set of names", _platform(lambda g: (g, "metrics_path"), bool)),
        Feature("access_log", "one JSON line a request, in one schema", _platform(lambda g: (g, "access_log"), bool)),
        Feature("errors", "the gateway's own errors are problem+json", _platform(lambda g: (g, "error_type_base"), bool)),
        Feature("errors.upstream", "an upstream's 429 and 5xx become problem+json unless they are", _platform(lambda g: (g, "error_type_base"), bool)),
        Feature("concurrency", "requests in flight over all services are capped", _platform(lambda g: (g, "concurrency"), lambda g: g.concurrency is not None)),
        Feature("hosts", "a service answers for its hosts, and others fall behind", _services(lambda s: (s, "hosts"), lambda s: bool(s.hosts))),
        Feature("base_path", "the base path is stripped before forwarding", _services(lambda s: (s, "base_path"), lambda s: bool(s.base_path))),
        Feature("upstream.endpoints", "requests are balanced over the endpoints", _endpoints),
        Feature("upstream.weight", "endpoints are chosen in proportion to their weights", _weights),
        Feature("upstream.dns", "host names are resolved again when their records expire", _endpoints),
        Feature("upstream.tls", "upstream certificates are verified", _services(lambda s: (s.upstream.tls, "ca"))),
        Feature("upstream.tls.client_certificate", "the gateway shows its certificate to the upstream", _services(lambda s: (s.upstream.tls, "client_certificate"), lambda s: bool(s.upstream.tls and s.upstream.tls.client_certificate))),
        Feature("upstream.concurrency", "requests in flight to the service are capped", _services(lambda s: (s.upstream, "concurrency"), lambda s: s.upstream.concurrency is not None)),
        Feature("upstream.breaker", "a failing endpoint gets no traffic for a while", _services(lambda s: (s.upstream.breaker, "failures"))),
        Feature("upstream.health", "endpoints are checked actively", _services(lambda s: (s.upstream.health, "path"))),
        Feature("budget", "units per user and period run out", _services(lambda s: (s.budget, "units"))),
        Feature("budget.charge", "the response's actual cost is settled", _services(lambda s: (s.budget, "charge"), lambda s: bool(s.budget and s.budget.charge))),
        Feature("budget.cluster", "one budget over all gateway processes", _services(lambda s: (s.budget, "cluster"), lambda s: bool(s.budget and s.budget.cluster))),
        Feature("path", "paths match in one order, normalised, and are forwarded as matched", _routes(lambda r: (r, "path"))),
        Feature("methods", "a method that the path lacks is 405 with Allow", _routes(lambda r: (r, "methods"))),
        Feature("auth.jwt", "a JSON Web Token is verified", _provider("jwt")),
        Feature("auth.jwt.jwks_url", "the key set is fetched from its URL", _jwt_urls),
        Feature("auth.api_key", "an API key is verified", _provider("api_key")),
        Feature("auth.any_of", "any one of several credentials is enough", _any_of),
        Feature("auth.scopes", "every scope is needed", _routes(lambda r: (r.auth, "scopes"), lambda r: bool(r.auth and r.auth.scopes))),
        Feature("timeouts.connect", "a connection that takes longer is given up", _routes(lambda r: (r.timeouts, "connect"))),
        Feature("timeouts.request", "the whole request ends in time, retries included", _routes(lambda r: (r.timeouts, "request"), lambda r: not r.stream and not r.websocket)),
        Feature("timeouts.idle", "a silent connection is cut", _routes(lambda r: (r.timeouts, "idle"))),
        Feature("retries.attempts", "a request is tried again so many times", _routes(lambda r: (r.retries, "attempts"), _retrying)),
        Feature("retries.when", "reset and status causes are retried, for safe methods", _routes(lambda r: (r.retries, "causes"), _causes)),
        Feature("retries.per_try", "each try has its own bound", _routes(lambda r: (r.retries, "per_try"), lambda r: _retrying(r) and r.retries.per_try is not None)),
        Feature("retries.backoff", "tries are spaced exponentially with jitter", _routes(lambda r: (r.retries, "backoff_base"), _retrying)),
        Feature("retries.budget", "retries are a bounded share of live requests", _routes(lambda r: (r.retries, "budget"), lambda r: _retrying(r) and r.retries.budget is not None)),
        Feature("retries.unsafe", "a route may retry every method", _routes(lambda r: (r.retries, "unsafe"), lambda r: _retrying(r) and r.retries.unsafe)),
        Feature("limits.ip", "a token bucket per client address", _limits(lambda m: m.key is LimitKey.IP)),
        Feature("limits.user", "a token bucket per verified user", _limits(lambda m: m.key is LimitKey.USER)),
        Feature("limits.service", "one token bucket for all", _limits(lambda m: m.key is LimitKey.SERVICE)),
        Feature("limits.header", "a token bucket per header value", _limits(lambda m: m.key is LimitKey.HEADER)),
        Feature("limits.shadow", "a limit counts and logs but refuses nothing", _limits(lambda m: m.shadow)),
        Feature("limits.cluster", "one count over all gateway processes", _limits(lambda m: m.cluster)),
        Feature("cost", "a request takes its cost from the budget on admission", _routes(lambda r: (r, "cost"), lambda r: r.cost != 1)),
        Feature("max_body", "a larger body is refused, chunked ones too", _routes(lambda r: (r, "max_body"))),
        Feature("cors", "preflights are answered at the edge", _routes(lambda r: (r.cors, "origins"))),
        Feature("headers.request", "request headers are set and removed", _routes(lambda r: (r.headers, "request"), lambda r: bool(r.headers.request.set or r.headers.request.remove))),
        Feature("headers.response", "response headers are set and removed", _routes(lambda r: (r.headers, "response"), lambda r: bool(r.headers.response.set or r.headers.response.remove))),
        Feature("cache", "answers are served from the edge for the policy's ttl", _routes(lambda r: (r.cache, "ttl"))),
        Feature("cache.vary.query", "only the listed query parameters key an answer", _routes(lambda r: (r.cache, "vary_query"))),
        Feature("cache.vary.headers", "the listed headers key an answer", _routes(lambda r: (r.cache, "vary_headers"), lambda r: bool(r.cache and r.cache.vary_headers))),
        Feature("cache.stale.if_error", "an expired answer covers for a failing service", _routes(lambda r: (r.cache, "stale_if_error"), lambda r: bool(r.cache and r.cache.stale_if_error))),
        Feature("cache.stale.while_revalidate", "an expired answer is served while it is renewed", _routes(lambda r: (r.cache, "stale_while_revalidate"), lambda r: bool(r.cache and r.cache.stale_while_revalidate))),
        Feature("cache.negative_ttl", "301 and 404 are cached", _routes(lambda r: (r.cache, "negative_ttl"), lambda r: bool(r.cache and r.cache.negative_ttl is not None))),
        Feature("cache.scope.user", "an answer belongs to the verified user", _routes(lambda r: (r.cache, "per_user"), lambda r: bool(r.cache and r.cache.per_user))),
        Feature("stream", "events pass one by one; the request timeout bounds the first byte", _routes(lambda r: (r, "stream"), lambda r: r.stream)),
        Feature("websocket", "upgraded connections pass", _routes(lambda r: (r, "websocket"), lambda r: r.websocket)),
    )
}  # fmt: skip
"""Every feature of the language by its name, in the order of `gwc support`."""
