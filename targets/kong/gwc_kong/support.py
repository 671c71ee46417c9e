"""What Kong promises of each feature, per profile. Below exact, the note is the message that the user reads."""

from __future__ import annotations

from gwc.derived import per_gateway
from gwc.features import Use
from gwc.ir import Gateway, GatewaySecret, Limit, LimitKey, Retries, Route, Timeouts
from gwc.support import EXACT, Case, Conditional, Support, SupportTable, approximate, unsupported
from gwc_kong.env import NEXT_UPSTREAM_STATUSES, node_statuses

_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
_LATER = unsupported("gwc does not render this for Kong yet; leave it to the service, or use the envoy target")
_CLUSTER = unsupported(
    "what ships with Kong may not reach a store from here, so each Kong counts alone; use the plugin profile"
)


def _routes(gateway: Gateway) -> list[Route]:
    return [route for service in gateway.services for route in service.routes]


def _stream_outlives(gateway: Gateway, use: Use) -> bool:
    """A stream whose idle timeout is longer than its request timeout."""
    if not isinstance(use.node, Timeouts) or use.node.idle <= use.node.request:
        return False
    return id(use.node) in _of_streams(gateway)


@per_gateway
def _of_streams(gateway: Gateway) -> frozenset[int]:
    """The identities of the timeouts of streams."""
    return frozenset(id(route.timeouts) for route in _routes(gateway) if route.stream)


def _other_status(_: Gateway, use: Use) -> bool:
    return isinstance(use.node, Retries) and not set(use.node.statuses) <= NEXT_UPSTREAM_STATUSES


def _of_the_node(gateway: Gateway) -> tuple[tuple[int, ...], bool]:
    """The answers that any route retries, and whether any route tries an unsafe method again."""
    unsafe = any(route.retries.unsafe and route.retries.attempts > 0 for route in _routes(gateway))
    return tuple(sorted(node_statuses(gateway))), unsafe


def _stricter_than_the_node(gateway: Gateway, use: Use, node: tuple[tuple[int, ...], bool]) -> bool:
    """A retrying route that leaves a failed answer as it is which nginx, for another route's sake, has dropped."""
    if not isinstance(use.node, Retries):
        return False
    statuses, unsafe = node
    if set(statuses) - set(use.node.statuses):
        return True
    return unsafe and not use.node.unsafe and bool(use.node.statuses) and id(use.node) in _with_unsafe(gateway)


@per_gateway
def _with_unsafe(gateway: Gateway) -> frozenset[int]:
    """The identities of the retries of routes with unsafe methods."""
    return frozenset(id(route.retries) for route in _routes(gateway) if set(route.methods) - _SAFE)


def _unreadable_variable(_: Gateway, use: Use) -> bool:
    return isinstance(use.node, GatewaySecret) and not _readable(use.node.secret.source, use.node.secret.name)


def _unreadable_key(gateway: Gateway, _: Use) -> bool:
    keys = gateway.identity.api_key
    return keys is not None and not all(_readable(c.secret.source, c.secret.name) for c in keys.consumers)


def _unreadable_tls_key(gateway: Gateway, _: Use) -> bool:
    https = gateway.listen.https
    return https is not None and not _readable(https.key.source, https.key.name)


def _checked_over_tls(gateway: Gateway, use: Use) -> bool:
    return id(use.node) in _over_tls(gateway)


@per_gateway
def _over_tls(gateway: Gateway) -> frozenset[int]:
    """The identities of the checks of https endpoints."""
    return frozenset(id(s.upstream.health) for s in gateway.services if s.upstream.tls is not None)


def _readable(source: str, name: str) -> bool:
    """Kong's env vault looks for upper-case names only."""
    return source == "file" or name == name.upper()


_VARIABLE = "Kong finds environment variables by upper-case names only; rename the variable"
_NO_FILES = unsupported(
    "what ships with Kong takes certificates inline only, not from the policy's files; use the plugin profile"
)

_UNTIL_RESTART = approximate(
    "the cap is never exceeded; but what a worker process was serving when it crashed counts until Kong is restarted"
)

_BUNDLED: dict[str, Support | Conditional] = {
    "listen.http": EXACT,
    "listen.https": Conditional(
        EXACT, (Case("a key in a lower-case variable", _unreadable_tls_key, unsupported(_VARIABLE)),)
    ),
    "listen.https.redirect": EXACT,
    "listen.admin": approximate(
        "readiness is at /status/ready and metrics at /metrics of Kong's status listener; there is no /ready"),
    "trusted_proxies": EXACT,
    "identity.user_header": EXACT,
    "identity.gateway_secret": Conditional(
        EXACT, (Case("a variable in lower case", _unreadable_variable, unsupported(_VARIABLE)),)
    ),
    "request_id": EXACT,
    "traceparent": EXACT,
    "tracing": unsupported(
        "what ships with Kong exports no span that the service's would follow; accepted, traceparent is still "
        "forwarded; use the plugin profile"
    ),
    "metrics": approximate(
        "Prometheus metrics are served at /metrics of the admin listener, with Kong's own names and none of routes: no "
        "alert rules and no dashboards; use the plugin profile"
    ),
    "access_log": EXACT,
    "errors": approximate(
        "all errors are problem+json, but headers that are too large are answered 400 bad-request instead of 431, 405 "
        "of TRACE comes without Allow, and where a service answers with what is no HTTP the connection is cut"
    ),
    "errors.upstream": EXACT,
    "hosts": EXACT,
    "base_path": EXACT,
    "path": EXACT,
    "methods": EXACT,
    "upstream.endpoints": EXACT,
    "upstream.weight": EXACT,
    "upstream.dns": EXACT,
    "upstream.tls": _NO_FILES,
    "upstream.tls.client_certificate": _NO_FILES,
    "timeouts.connect": EXACT,
    "timeouts.request": approximate(
        "the time until an answer begins is exact, retries included; an answer that has begun is cut at its next piece "
        "after the time is up, and one that falls silent after at most twice the time"
    ),
    "timeouts.idle": Conditional(
        EXACT,
        (
            Case("a stream with idle longer than request", _stream_outlives, approximate(
                "Kong has one timer for the first byte and the silences after it: the stream is cut after a silence of "
                "timeouts.request, which is shorter; make both equal")),
        ),
    ),
    "retries.attempts": EXACT,
    "retries.when": Conditional(
        EXACT,
        (
            Case("a status other than 500, 502, 503 and 504", _other_status, unsupported(
                "Kong can try again after answers 500, 502, 503 and 504 only; leave the other statuses out of when")),
            Case("a status or method that only another route retries", _stricter_than_the_node, approximate(
                "nothing is tried again that this route does not list; but an answer that another route would retry "
                "reaches the client as the gateway's problem with that status, even if the service sent its own"),
                across=_of_the_node),
        ),
    ),
    "retries.per_try": approximate(
        "a try that has not begun to answer in time is given up exactly; an answer that has begun is also cut when it "
        "is silent for per_try"
    ),
    "retries.backoff": approximate(
        "Kong cannot wait between tries: the next one starts at once; attempts and budget still bound them"),
    "retries.budget": approximate(
        "the share is of the requests in flight in this gateway; three retrying requests at a time are always permitted"
    ),
    "retries.unsafe": EXACT,
    "max_body": EXACT,
    "headers.request": EXACT,
    "headers.response": EXACT,
    "stream": EXACT,
    "websocket": EXACT,
    "concurrency": _UNTIL_RESTART,
    "upstream.concurrency": _UNTIL_RESTART,
    "upstream.breaker": EXACT,
    "upstream.health": unsupported(
        "what ships with Kong makes no active checks for gwc's endpoints; use the plugin profile or upstream.breaker"
    ),
    "budget": EXACT,
    "budget.charge": EXACT,
    "budget.cluster": _CLUSTER,
    "cost": EXACT,
    "auth.jwt": EXACT,
    "auth.jwt.jwks_url": unsupported(
        "Kong does not fetch key sets; name a file (jwks: {file: ...}); accepted, tokens of that issuer are refused"
    ),
    "auth.api_key": Conditional(
        EXACT, (Case("a key in a lower-case variable", _unreadable_key, unsupported(_VARIABLE), of_all=True),)
    ),
    "auth.any_of": EXACT,
    "auth.scopes": EXACT,
    "limits.ip": EXACT,
    "limits.user": EXACT,
    "limits.service": EXACT,
    "limits.header": EXACT,
    "limits.shadow": EXACT,
    "limits.cluster": _CLUSTER,
    "cors": EXACT,
    "cache": approximate(
        "kept and served exactly, but Kong's own status listener takes no purge: restart Kong to drop what is kept, or "
        "use the plugin profile"
    ),
    "cache.vary.query": EXACT,
    "cache.vary.headers": EXACT,
    "cache.stale.if_error": EXACT,
    "cache.stale.while_revalidate": EXACT,
    "cache.negative_ttl": EXACT,
    "cache.scope.user": EXACT,
}  # fmt: skip


def _unreadable_password(gateway: Gateway, _: Use) -> bool:
    password = gateway.rate_limit_store.password if gateway.rate_limit_store else None
    return password is not None and not _readable(password.source, password.name)


def _in_both_scopes(gateway: Gateway, use: Use) -> bool:
    """Whether some request passes the limit and, in the same stage, one that each gateway counts alone."""
    return id(use.node) in _beside_own(gateway)


@per_gateway
def _beside_own(gateway: Gateway) -> frozenset[int]:
    """The identities of the limits of which, in their stage and on some route, one enforced limit is the gateway's."""
    found: set[int] = set()
    for service in gateway.services:
        for route in service.routes:
            together = [*gateway.limits, *service.limits, *route.limits]
            own = {_by_address(limit) for limit in together if not limit.cluster and not limit.shadow}
            found.update(id(limit) for limit in together if _by_address(limit) in own)
    return frozenset(found)


def _by_address(limit: Limit) -> bool:
    return limit.key is LimitKey.IP


_PASSWORD = Case("a password in a lower-case variable", _unreadable_password, unsupported(_VARIABLE), of_all=True)

_PLUGIN: dict[str, Support | Conditional] = {
    **_BUNDLED,
    "concurrency": EXACT,
    "upstream.concurrency": EXACT,
    "limits.cluster": Conditional(
        EXACT,
        (
            _PASSWORD,
            Case(
                "a request also passes limits of scope: gateway in the same stage",
                _in_both_scopes,
                approximate(
                    "each limit holds exactly by itself, but the gateway's own come first: a request that the "
                    "cluster's limit refuses has cost them a token"
                ),
            ),
        ),
    ),
    "budget.cluster": Conditional(EXACT, (_PASSWORD,)),
    "listen.admin": EXACT,
    "cache": EXACT,
    "upstream.health": Conditional(
        EXACT,
        (
            Case(
                "https endpoints",
                _checked_over_tls,
                unsupported("gwc's checks on Kong speak plain HTTP so far; use upstream.breaker for https endpoints"),
            ),
        ),
    ),
    "upstream.tls": EXACT,
    "upstream.tls.client_certificate": EXACT,
    "metrics": EXACT,
    "tracing": EXACT,
}

TABLES = {
    "plugin": SupportTable("kong", "plugin", _PLUGIN),
    "bundled": SupportTable("kong", "bundled", _BUNDLED),
}
