"""What Envoy 1.40 does of each feature, as seen on the live engine."""

from __future__ import annotations

from gwc.features import FEATURES, Use
from gwc.ir import Gateway, Limit, Route
from gwc.support import EXACT, Case, Conditional, Support, SupportTable, approximate, unsupported
from gwc_envoy.body import LARGEST
from gwc_envoy.limits import share_a_stage
from gwc_envoy.upstream import cluster_name

_LATER = "gwc does not render this for Envoy yet"

_LIMITS = unsupported(f"{_LATER}; accepted, nothing is limited: keep a limit in front of or behind the gateway")
_IN_TURN = Conditional(
    EXACT,
    (
        Case(
            "a request passes several enforced limits of one stage (ip; or user, service and header)",
            lambda gateway, use: isinstance(use.node, Limit) and share_a_stage(gateway, use.node),
            approximate(
                "each limit holds exactly by itself, but Envoy takes those of one stage in turn: a request that one of "
                "them refuses may have cost the others a token"
            ),
        ),
    ),
)
_SPLIT = "routes of the service differ in connect timeout or retry budget, which Envoy keeps for each group of routes: "


def _splits(gateway: Gateway, use: Use) -> bool:
    service = next((s for s in gateway.services if use.node in (s.upstream, s.upstream.breaker)), None)
    return service is not None and len({cluster_name(service, route) for route in service.routes}) > 1


_CACHE = unsupported(f"{_LATER}; accepted, every request goes to the service and pays for it")


_ENTRIES: dict[str, Support | Conditional] = {
    "listen.https": unsupported(f"{_LATER}; accepted, only plain HTTP is served"),
    "listen.https.redirect": unsupported(f"{_LATER}; accepted, plain HTTP is served without a redirect"),
    "tracing": unsupported(f"{_LATER}; accepted, no span is exported, and traceparent is still forwarded"),
    "metrics": approximate(
        "Prometheus metrics are served under the policy's path on the admin listener, with Envoy's own names"
    ),
    "access_log": approximate("one JSON line a request on standard output, with field names of Envoy's target alone"),
    "auth.jwt": Conditional(
        EXACT,
        (
            Case(
                "a leeway below 1s",
                lambda gateway, _: any(provider.leeway < 1 for provider in gateway.identity.jwt),
                approximate(
                    "Envoy's smallest leeway is one second: tokens are taken up to a second after they expired"
                ),
            ),
        ),
    ),
    "limits.ip": _IN_TURN,
    "limits.user": _IN_TURN,
    "limits.service": _IN_TURN,
    "limits.header": _IN_TURN,
    "upstream.concurrency": Conditional(
        EXACT, (Case("routes differ", _splits, approximate(_SPLIT + "the cap holds for each group by itself")),)
    ),
    "upstream.breaker": Conditional(
        EXACT, (Case("routes differ", _splits, approximate(_SPLIT + "failures are counted for each group by itself")),)
    ),
    "budget.charge": unsupported(
        "Envoy's own buckets cannot take a cost that is known only with the response; accepted, each request takes its "
        "route's `cost` and the header is removed"
    ),
    "budget.cluster": unsupported(f"{_LATER}; accepted, such a budget takes nothing"),
    "limits.cluster": _LIMITS,
    "max_body": Conditional(
        EXACT,
        (
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
    "listen.http",
    "listen.admin",
    "trusted_proxies",
    "identity.user_header",
    "identity.gateway_secret",
    "request_id",
    "traceparent",
    "errors",
    "errors.upstream",
    "hosts",
    "base_path",
    "upstream.endpoints",
    "upstream.weight",
    "upstream.dns",
    "upstream.tls",
    "upstream.tls.client_certificate",
    "upstream.health",
    "path",
    "methods",
    "auth.jwt.jwks_url",
    "auth.api_key",
    "auth.any_of",
    "auth.scopes",
    "timeouts.connect",
    "timeouts.request",
    "timeouts.idle",
    "retries.attempts",
    "retries.when",
    "retries.per_try",
    "retries.backoff",
    "retries.budget",
    "retries.unsafe",
    "limits.shadow",
    "budget",
    "cost",
    "concurrency",
    "headers.request",
    "headers.response",
    "stream",
    "websocket",
)

TABLE = SupportTable("envoy", "default", {**dict.fromkeys(_EXACT, EXACT), **_ENTRIES})
