"""What Envoy 1.40 does of each feature, as seen on the live engine."""

from __future__ import annotations

from gwc.features import FEATURES, Use
from gwc.ir import Gateway, Retries, RetryCause, Route
from gwc.support import EXACT, Case, Conditional, Support, SupportTable, approximate, unsupported
from gwc_envoy.body import LARGEST

_LATER = "gwc does not render this for Envoy yet"

_FAIL_CLOSED = unsupported(
    f"{_LATER}; accepted, every route that needs a credential answers 401, so nothing is served openly"
)
_LIMITS = unsupported(f"{_LATER}; accepted, nothing is limited: keep a limit in front of or behind the gateway")
_GUARD = unsupported(f"{_LATER}; accepted, requests pass without this guard")
_CACHE = unsupported(f"{_LATER}; accepted, every request goes to the service and pays for it")


def _route_of(gateway: Gateway, retries: Retries) -> Route | None:
    return next((r for s in gateway.services for r in s.routes if r.retries is retries), None)


def _resets_too(_: Gateway, use: Use) -> bool:
    """Envoy knows a try that timed out, a reset and a failed connection under the one cause `reset`."""
    retries = use.node
    if not isinstance(retries, Retries):
        return False
    listed = set(retries.causes)
    widened = retries.per_try is not None and RetryCause.RESET not in listed
    implied = RetryCause.RESET in listed and RetryCause.CONNECT not in listed
    return widened or implied


_WIDER = approximate(
    "Envoy cannot tell resets, failed connections and timed-out tries apart when it retries: with any of reset and "
    "per_try set, safe methods are tried again after all three; unsafe methods and the number of tries keep to the "
    "policy. List connect and reset to say the same"
)

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
    "retries.when": Conditional(EXACT, (Case("reset and connect are not listed together", _resets_too, _WIDER),)),
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
    "retries.unsafe", "headers.request", "headers.response", "stream", "websocket",
)  # fmt: skip

TABLE = SupportTable("envoy", "default", {**dict.fromkeys(_EXACT, EXACT), **_ENTRIES})
