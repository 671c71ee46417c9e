"""What Envoy 1.40 does of each feature, as seen on the live engine."""

from __future__ import annotations

from gwc.derived import per_gateway
from gwc.features import FEATURES, Use
from gwc.ir import Accept, Budget, Gateway, Limit, Route
from gwc.support import EXACT, Case, Conditional, Support, SupportTable, approximate, unsupported
from gwc_envoy.body import LARGEST
from gwc_envoy.limits import share_a_stage
from gwc_envoy.profiles import PROFILES
from gwc_envoy.tracing import tells_apart
from gwc_envoy.upstream import cluster_name


def _nobody_to_ask(gateway: Gateway, _: Use) -> bool:
    return gateway.rate_limit_store is not None and gateway.rate_limit_store.service is None


def _other_database(gateway: Gateway, _: Use) -> bool:
    return gateway.rate_limit_store is not None and gateway.rate_limit_store.redis_database != 0


_NOBODY = (
    Case(
        "rate_limit_store without service",
        _nobody_to_ask,
        unsupported(
            "Envoy asks the rate limit service for a shared count: set rate_limit_store.service to its gRPC address; "
            "accepted, nothing is counted"
        ),
        of_all=True,
    ),
    Case(
        "a database of Redis other than 0",
        _other_database,
        unsupported(
            "the rate limit service counts in Redis's database 0 only: leave the database out of "
            "rate_limit_store.redis; accepted, nothing is counted"
        ),
        of_all=True,
    ),
)
_WINDOWS = (
    "the rate limit service counts in windows of the clock: a rate of N admits at most N in each second, minute, hour "
    "or day of the clock, so at most 2N in any span as long, and burst has no effect"
)
_TWO_LISTENERS = Case(
    "plain HTTP and HTTPS are both served, without redirect",
    lambda gateway, _: (
        gateway.listen.http is not None and gateway.listen.https is not None and not gateway.listen.https.redirect
    ),
    approximate(
        "Envoy's buckets belong to a listener: what comes over HTTP and what comes over HTTPS is counted apart, so up "
        "to twice as much is admitted; with redirect: true there is one count"
    ),
    of_all=True,
)
_PER_LISTENER = Conditional(EXACT, (_TWO_LISTENERS,))
_IN_TURN = Conditional(
    EXACT,
    (
        _TWO_LISTENERS,
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
    return use.subject in _split(gateway)


@per_gateway
def _split(gateway: Gateway) -> frozenset[str]:
    return frozenset(s.name for s in gateway.services if len({cluster_name(s, route) for route in s.routes}) > 1)


_ENTRIES: dict[str, Support | Conditional] = {
    "tracing": Conditional(
        EXACT,
        (
            Case(
                "a trusted proxy's IPv6 network whose addresses have several spellings",
                lambda gateway, _: (
                    gateway.request_id.accept is Accept.FROM_TRUSTED_PROXIES
                    and not all(tells_apart(network) for network in gateway.trusted_proxies)
                ),
                approximate(
                    "Envoy's tracer tells addresses by their text, which a prefix with a zero among its groups does "
                    "not fix: traces from such a network are not continued, and begin afresh"
                ),
            ),
        ),
    ),
    "access_log": approximate(
        "path is the canonical one that was matched: Envoy keeps no other; everything else is as the schema says"
    ),
    "auth.jwt": Conditional(
        EXACT,
        (
            Case(
                "a leeway below 1s",
                lambda gateway, _: any(provider.leeway < 1 for provider in gateway.identity.jwt),
                approximate(
                    "Envoy's smallest leeway is one second: tokens are taken up to a second after they expired"
                ),
                of_all=True,
            ),
        ),
    ),
    "limits.ip": _IN_TURN,
    "limits.user": _IN_TURN,
    "limits.service": _IN_TURN,
    "limits.header": _IN_TURN,
    "limits.shadow": _PER_LISTENER,
    "budget": _PER_LISTENER,
    "upstream.concurrency": Conditional(
        EXACT, (Case("routes differ", _splits, approximate(_SPLIT + "the cap holds for each group by itself")),)
    ),
    "upstream.breaker": Conditional(
        EXACT, (Case("routes differ", _splits, approximate(_SPLIT + "failures are counted for each group by itself")),)
    ),
    "budget.charge": Conditional(
        unsupported(
            "Envoy's own buckets cannot take a cost that is known only with the response; accepted, each request takes "
            "its route's `cost` and the header is removed; with scope: cluster the actual cost is charged"
        ),
        (
            Case(
                "scope: cluster",
                lambda _, use: isinstance(use.node, Budget) and use.node.cluster,
                approximate(
                    "what a request cost beyond its route's cost is taken once its response has ended; what it cost "
                    "less is not given back, so no user gets more than their units by it"
                ),
            ),
        ),
    ),
    "budget.cluster": Conditional(
        approximate(
            "no user is admitted for more than their units in a period, over all gateways; but a request that costs "
            "more than what is left uses it up"
        ),
        _NOBODY,
    ),
    "limits.cluster": Conditional(
        approximate(_WINDOWS),
        (
            *_NOBODY,
            Case(
                "mode: shadow",
                lambda _, use: isinstance(use.node, Limit) and use.node.shadow,
                approximate(f"{_WINDOWS}; what a shadow limit would have refused is in the metrics, not in the log"),
            ),
        ),
    ),
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
}

_EXACT = (
    "listen.http",
    "listen.https",
    "listen.https.redirect",
    "listen.admin",
    "metrics",
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
    "cost",
    "cors",
    "concurrency",
    "headers.request",
    "headers.response",
    "stream",
    "websocket",
    *(name for name in FEATURES if name.partition(".")[0] == "cache"),
)

_PROMISES = {**dict.fromkeys(_EXACT, EXACT), **_ENTRIES}
TABLES = {profile: SupportTable("envoy", profile, _PROMISES) for profile in PROFILES}
"""The same in both: the profiles differ in where Envoy finds its configuration."""
