"""What Envoy 1.40 does of each feature, as seen on the live engine."""

from __future__ import annotations

from gwc.features import FEATURES
from gwc.ir import Route
from gwc.support import EXACT, Case, Conditional, Support, SupportTable, approximate, unsupported
from gwc_envoy.body import LARGEST

_LATER = "gwc does not render this for Envoy yet"

_FAIL_CLOSED = unsupported(
    f"{_LATER}; accepted, every route that needs a credential answers 401, so nothing is served openly"
)
_LIMITS = unsupported(f"{_LATER}; accepted, nothing is limited: keep a limit in front of or behind the gateway")
_GUARD = unsupported(f"{_LATER}; accepted, requests pass without this guard")
_CACHE = unsupported(f"{_LATER}; accepted, every request goes to the service and pays for it")


_ENTRIES: dict[str, Support | Conditional] = {
    "listen.https": unsupported(f"{_LATER}; accepted, only plain HTTP is served"),
    "listen.https.redirect": unsupported(f"{_LATER}; accepted, plain HTTP is served without a redirect"),
    "tracing": unsupported(f"{_LATER}; accepted, no span is exported, and traceparent is still forwarded"),
    "metrics": approximate(
        "Prometheus metrics are served under the policy's path on the admin listener, with Envoy's own names"
    ),
    "access_log": approximate("one JSON line a request on standard output, with field names of Envoy's target alone"),
    "concurrency": _GUARD,
    "upstream.concurrency": _GUARD,
    "upstream.breaker": _GUARD,
    "upstream.health": _GUARD,
    "budget": _GUARD,
    "budget.charge": _GUARD,
    "budget.cluster": _GUARD,
    "cost": _GUARD,
    "auth.jwt": _FAIL_CLOSED,
    "auth.jwt.jwks_url": _FAIL_CLOSED,
    "auth.api_key": _FAIL_CLOSED,
    "auth.any_of": _FAIL_CLOSED,
    "auth.scopes": _FAIL_CLOSED,
    "limits.ip": _LIMITS,
    "limits.user": _LIMITS,
    "limits.service": _LIMITS,
    "limits.header": _LIMITS,
    "limits.shadow": _LIMITS,
    "limits.cluster": _LIMITS,
    "max_body": Conditional(
        EXACT,
        (
            Case(
                "max_body is 0B",
                lambda _, use: isinstance(use.node, Route) and use.node.max_body == 0,
                approximate("Envoy's smallest bound is one byte: a body of one byte passes"),
            ),
            Case(
                "max_body is 4GiB or more",
                lambda _, use: isinstance(use.node, Route) and use.node.max_body > LARGEST,
                approximate("Envoy's largest bound is 4294967295 bytes, which then holds"),
            ),
        ),
    ),
    "cors": unsupported(f"{_LATER}; accepted, browsers of other origins are refused by their own rules"),
    **{name: _CACHE for name in FEATURES if name.partition(".")[0] == "cache"},
}

_EXACT = (
    "listen.http", "listen.admin", "trusted_proxies", "identity.user_header", "identity.gateway_secret", "request_id",
    "traceparent", "errors", "errors.upstream", "hosts", "base_path", "upstream.endpoints", "upstream.weight",
    "upstream.dns", "upstream.tls", "upstream.tls.client_certificate", "path", "methods", "timeouts.connect",
    "timeouts.request", "timeouts.idle", "retries.attempts", "retries.per_try", "retries.backoff", "retries.budget",
    "retries.unsafe", "retries.when", "headers.request", "headers.response", "stream", "websocket",
)  # fmt: skip

TABLE = SupportTable("envoy", "default", {**dict.fromkeys(_EXACT, EXACT), **_ENTRIES})
