"""What NGINX promises of each feature, per profile. Below exact, the note is the message that the user reads."""

from __future__ import annotations

from gwc.derived import per_gateway
from gwc.features import Use
from gwc.ir import Endpoint, Gateway, Route, Service, Timeouts, UpstreamTls
from gwc.support import EXACT, Case, Conditional, Support, SupportTable, approximate, unsupported
from gwc_nginx import metrics, tracing
from gwc_nginx.upstream import RESOLVER, TRUST_STORE, is_name

_CLUSTER = unsupported(
    "NGINX shares counts between its workers, not between machines; use scope: gateway. Accepted, each gateway counts "
    "alone"
)
_AUTH = unsupported("gwc does not verify credentials on NGINX yet; accepted, such a route answers 401 to everybody")


def _service_of(gateway: Gateway, use: Use) -> Service:
    return _services(gateway)[use.subject.partition("/")[0]]


@per_gateway
def _services(gateway: Gateway) -> dict[str, Service]:
    return {service.name: service for service in gateway.services}


def _named(_: Gateway, use: Use) -> bool:
    return isinstance(use.node, Endpoint) and is_name(use.node.address.host)


def _host_trust(_: Gateway, use: Use) -> bool:
    return isinstance(use.node, UpstreamTls) and use.node.ca is None


def _several_names(gateway: Gateway, use: Use) -> bool:
    tls = _service_of(gateway, use).upstream
    return tls.tls is not None and tls.tls.sni is None and len({e.address.host for e in tls.endpoints}) > 1


def _numeric(gateway: Gateway, use: Use) -> bool:
    tls = _service_of(gateway, use).upstream
    return tls.tls is not None and tls.tls.sni is None and not is_name(tls.endpoints[0].address.host)


def _key_not_in_a_file(_: Gateway, use: Use) -> bool:
    key = use.node.client_key if isinstance(use.node, UpstreamTls) else None
    return key is not None and key.source != "file"


def _no_body(_: Gateway, use: Use) -> bool:
    return isinstance(use.node, Route) and use.node.max_body == 0


def _inside(gateway: Gateway, _: Use) -> bool:
    return metrics.hidden(gateway)


def _encrypted(gateway: Gateway, use: Use) -> bool:
    return _service_of(gateway, use).upstream.tls is not None


def _numeric_collector(gateway: Gateway, _: Use) -> bool:
    return tracing.encrypted(gateway) and not tracing.named(gateway)


def _encrypted_collector(gateway: Gateway, _: Use) -> bool:
    return tracing.encrypted(gateway)


def _named_collector(gateway: Gateway, _: Use) -> bool:
    return tracing.named(gateway)


def _outlives(gateway: Gateway, use: Use) -> bool:
    """A stream whose idle timeout is longer than its request timeout."""
    service = _service_of(gateway, use)
    route = next(r for r in service.routes if f"{service.name}/{r.name}" == use.subject)
    return isinstance(use.node, Timeouts) and route.stream and use.node.idle > use.node.request


_TLS = Conditional(
    EXACT,
    (
        Case("without ca", _host_trust, approximate(
            f"NGINX has no default trust store: gwc names {TRUST_STORE}; a host that keeps its own elsewhere needs "
            "ca")),
        Case("endpoints with different names and no sni", _several_names, unsupported(
            "NGINX checks one certificate name for all endpoints of a service; set upstream.tls.sni")),
        Case("an address as the name", _numeric, unsupported(
            "NGINX compares names only, not addresses; set upstream.tls.sni to a name of the certificate")),
    ),
)  # fmt: skip


def _metrics(promise: Support) -> Conditional:
    return Conditional(promise, (Case("a path below /_gwc/", _inside, unsupported(
        "NGINX keeps paths below /_gwc/ of the admin listener for itself; choose another metrics.path")),))  # fmt: skip


_CACHE = (
    *("cache", "cache.vary.query", "cache.vary.headers", "cache.stale.if_error", "cache.stale.while_revalidate"),
    *("cache.negative_ttl", "cache.scope.user"),
)
_LIMITS = ("limits.ip", "limits.user", "limits.service", "limits.header", "limits.shadow")
_GUARDS = ("upstream.breaker", "budget", "budget.charge", "cost", "concurrency", "upstream.concurrency")
_CREDENTIALS = ("auth.jwt", "auth.jwt.jwks_url", "auth.api_key", "auth.any_of", "auth.scopes")

_NJS: dict[str, Support | Conditional] = {
    **dict.fromkeys(("limits.cluster", "budget.cluster"), _CLUSTER),
    **dict.fromkeys((*_CREDENTIALS, *_LIMITS, *_GUARDS, *_CACHE), EXACT),
    "auth.jwt.jwks_url": unsupported(
        "NGINX does not fetch key sets; use jwks: {file: ...}. Accepted, tokens of such an issuer open nothing"),
    "listen.http": EXACT,
    "listen.https": EXACT,
    "listen.https.redirect": EXACT,
    "listen.admin": EXACT,
    "trusted_proxies": EXACT,
    "identity.user_header": EXACT,
    "identity.gateway_secret": EXACT,
    "request_id": EXACT,
    "traceparent": EXACT,
    "access_log": EXACT,
    "metrics": _metrics(EXACT),
    "tracing": Conditional(EXACT, (
        Case("an https address without a name", _numeric_collector, unsupported(
            "NGINX compares a certificate's names only, not addresses; name the collector. Accepted, all spans are "
            "lost")),
        Case("an https collector", _encrypted_collector, approximate(
            f"verified against {TRUST_STORE}, and its name is asked of {' and '.join(RESOLVER.split())}: NGINX reads "
            "neither the host's trust store nor its /etc/resolv.conf; http://localhost needs neither")),
        Case("a collector with a host name", _named_collector, approximate(
            f"its name is asked of {' and '.join(RESOLVER.split())}: NGINX does not read /etc/resolv.conf")),
    )),
    "errors": EXACT,
    "errors.upstream": EXACT,
    "hosts": EXACT,
    "base_path": EXACT,
    "path": EXACT,
    "methods": EXACT,
    "upstream.endpoints": EXACT,
    "upstream.weight": EXACT,
    "upstream.dns": Conditional(EXACT, (Case("an endpoint with a host name", _named, approximate(
        "names are resolved again when their records expire, but NGINX does not read /etc/resolv.conf: it asks "
        f"{' and '.join(RESOLVER.split())}; a host without either needs endpoints by address")),)),
    "upstream.tls": _TLS,
    "upstream.health": Conditional(EXACT, (Case("an https endpoint", _encrypted, unsupported(
        "NGINX cannot verify a check with the authority of the service; use a breaker. Accepted, there are no "
        "checks")),)),
    "upstream.tls.client_certificate": Conditional(EXACT, (Case("client_key from the environment", _key_not_in_a_file,
        unsupported("NGINX reads a client key from a file only; use client_key: {secret: {file: ...}}")),)),
    "timeouts.connect": EXACT,
    "timeouts.request": approximate(
        "the time until an answer begins is exact, retries included; an answer that has begun is cut when more of it "
        "comes after the timeout, or when it is silent for the timeout; once 4 MiB of it have come, only silence cuts "
        "it"),
    "timeouts.idle": EXACT,
    "retries.attempts": EXACT,
    "retries.when": EXACT,
    "retries.per_try": approximate(
        "a try that has not begun to answer in time is given up exactly; an answer that has begun is also cut when it "
        "is silent for per_try"),
    "retries.backoff": EXACT,
    "retries.budget": approximate(
        "retries in flight are a share of the service's requests in flight on routes that retry with a budget, one is "
        "always permitted; a status answer that finds none left reaches the client in the gateway's words"),
    "retries.unsafe": EXACT,
    "max_body": Conditional(EXACT, (Case("max_body: 0B", _no_body, approximate(
        "NGINX cannot forbid bodies, only bound them, and its least bound is one byte: a body of one byte passes")),)),
    "headers.request": EXACT,
    "headers.response": EXACT,
    "cors": EXACT,
    "stream": EXACT,
    "websocket": EXACT,
}  # fmt: skip

_PLAIN_LIMITS = unsupported(
    "gwc renders no limits, budgets, caps, breakers or checks for NGINX without njs yet; use profile njs"
)
_PLAIN_CLUSTER = unsupported(
    "NGINX shares no counts between machines, and gwc renders none for NGINX without njs yet; use profile njs with "
    "scope: gateway, or the envoy or kong target. Accepted, nothing is counted"
)
_BANNER = "every answer says `Server: nginx`, without a version: a build without extra modules cannot leave it out"

_AGES = "NGINX counts ages in whole seconds, so an answer may be served for up to a second longer"
_NO_STALE = unsupported(
    "NGINX without njs cannot bound for how long it serves what has expired; use profile njs. Accepted, nothing stale "
    "is served"
)
_PLAIN_CACHE: dict[str, Support | Conditional] = {
    "cache": approximate(
        f"{_AGES}; of several requests that find it expired each asks the service, while a new one is asked for once; "
        "those who wait for one that is then not kept ask one after another; an answer with Vary is kept for each of "
        "what it names; If-None-Match counts only if If-Modified-Since fits "
        "too; a route is purged by removing its files, for there is no purge on the admin listener"),
    "cache.negative_ttl": approximate(_AGES),
    "cache.vary.query": approximate(
        "of a listed parameter that stands several times only the first keys the answer and reaches the service; one "
        "whose name is percent-encoded is left out; with some KiB of parameters an answer is not kept"),
    "cache.vary.headers": approximate(
        "an empty header counts as an absent one; of a header that stands several times NGINX before 1.23 keys and "
        "forwards the first only"),
    "cache.scope.user": unsupported(
        "NGINX without njs verifies nobody; use profile njs. Accepted, such a route answers 401 to everybody"),
    **dict.fromkeys(("cache.stale.if_error", "cache.stale.while_revalidate"), _NO_STALE),
}  # fmt: skip

_PLAIN: dict[str, Support | Conditional] = {
    **_NJS,
    **dict.fromkeys(_CREDENTIALS, _AUTH),
    **_PLAIN_CACHE,
    **dict.fromkeys((*_LIMITS, *_GUARDS, "upstream.health"), _PLAIN_LIMITS),
    **dict.fromkeys(("limits.cluster", "budget.cluster"), _PLAIN_CLUSTER),
    **dict.fromkeys(("listen.http", "listen.https"), approximate(_BANNER)),
    "access_log": approximate(
        "`time` is when the request ended; `bytes` counts the framing of chunks; in `keys` a header that is absent is "
        "empty; a query that names a credential is *** as a whole; nobody is verified and nothing is limited, so "
        "nothing is told of it"),
    "identity.user_header": approximate(
        "a client's user header, gateway secret and every control header that gwc knows by name are removed, but NGINX "
        "cannot remove by prefix: another x-envoy-*, x-kong-*, x-consumer-*, x-credential-* or x-accel-* reaches the "
        "service"),
    "metrics": _metrics(approximate(
        "Prometheus metrics under the policy's path: NGINX's own totals of connections and requests, those of the "
        "gateway to itself among them; nothing by service, route, status, time or limit, so no alert rules and no "
        "dashboards; a build without stub_status has none")),
    "tracing": unsupported(
        "a stock NGINX exports no spans; use profile njs. Accepted, the service gets a valid traceparent with the "
        "sampling of the policy, and the gateway's span is missing from the trace"),
    "errors": approximate(
        "problems have the right status, type and request id; `instance` is left out for a path that holds quotes, "
        "backslashes or bytes beyond ASCII; the response headers of a route's policy are not on them"),
    "errors.upstream": approximate(
        "a service's error that is not a problem becomes one with its status, but loses all of its own headers, "
        "Retry-After too"),
    "path": approximate(
        "NGINX matches the decoded path and forwards it encoded anew: reserved characters that came escaped may arrive "
        "as they are; slashes merge before dot segments are resolved; raw backslashes are refused with 400"),
    "base_path": _NJS["base_path"],
    "upstream.endpoints": EXACT,
    "upstream.dns": Conditional(EXACT, (Case("an endpoint with a host name", _named, approximate(
        "names are resolved again when their records expire, but NGINX does not read /etc/resolv.conf: it asks "
        f"{' and '.join(RESOLVER.split())}; endpoints with names are chosen at random by weight, and a further try "
        "goes to the same one")),)),
    "timeouts.request": approximate(
        "the time until an answer begins is exact, retries included; an answer that has begun is only cut when it is "
        "silent for the timeout, so one that trickles may take longer"),
    "timeouts.idle": Conditional(EXACT, (Case("a stream with idle longer than request", _outlives, approximate(
        "NGINX has one timer for the first byte and the silences after it: the stream is cut after a silence of "
        "timeouts.request, which is shorter; make both equal")),)),
    "retries.when": approximate(
        "NGINX cannot tell a refused connection from a reset one for GET, HEAD, OPTIONS, PUT and DELETE: either cause "
        "stands for both; POST and PATCH are only tried again when nothing was sent; of statuses 500, 502, 503 and 504 "
        "are retried, others are final"),
    "retries.attempts": EXACT,
    "retries.backoff": unsupported("NGINX without njs tries again at once; use profile njs"),
    "retries.budget": unsupported("NGINX without njs does not count its retries; use profile njs"),
    "headers.response": approximate(
        "set and removed on a service's answers, not on problems that the gateway makes; Server cannot be removed"),
}  # fmt: skip

TABLES = {
    "njs": SupportTable("nginx", "njs", _NJS),
    "plain": SupportTable("nginx", "plain", _PLAIN),
}
