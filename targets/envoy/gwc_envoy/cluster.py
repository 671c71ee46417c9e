"""`scope: cluster`: limits and budgets that one rate limit service counts for every gateway process.

Each stage has one filter that asks the service; a request's descriptors name a limit and whose bucket it is. What the
service knows of them is in `ratelimit`. It counts in windows of the clock.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from gwc.features import limits as all_limits
from gwc.ir import Budget, Gateway, Limit, LimitKey, RateLimitStore, Service
from gwc_envoy.stages import Stage
from gwc_envoy.xds import UNLIMITED, Json, address, duration, extension, typed

CLUSTER = "gwc.ratelimit"
DOMAIN = "gwc"
PATIENCE = 0.25
"""Seconds that a request waits for the service: several times what it takes, and little next to a request's own."""

_ENTRY = {LimitKey.IP: "masked_remote_address", LimitKey.USER: "user", LimitKey.HEADER: "header"}
_UNAVAILABLE = 503
MESSAGE = "extensions.filters.http.ratelimit.v3.RateLimit"


_FAMILY = "gwc.cluster"
_STAGES = tuple(
    Stage(number, early, shadow, _FAMILY)
    for number, early, shadow in ((5, True, True), (4, True, False), (7, False, True), (6, False, False))
)
"""The numbers of the gateway's own stages are below these."""


def counted(gateway: Gateway) -> tuple[Limit, ...]:
    """The limits that the service counts: none where the policy names no service to ask."""
    if _store(gateway) is None:
        return ()
    return tuple(limit for _, limit in all_limits(gateway) if limit.cluster)


def budgets(gateway: Gateway) -> dict[str, Budget]:
    """The budgets that the service counts, by the service that they guard."""
    return {s.name: found for s in gateway.services if (found := budget_of(gateway, s)) is not None}


def budget_of(gateway: Gateway, service: Service) -> Budget | None:
    found = service.budget
    return found if found is not None and found.cluster and _store(gateway) is not None else None


def used(gateway: Gateway) -> bool:
    return bool(counted(gateway) or budgets(gateway))


def _store(gateway: Gateway) -> RateLimitStore | None:
    store = gateway.rate_limit_store
    return store if store is not None and store.service is not None and not store.redis_database else None


def filters(gateway: Gateway, early: bool) -> Iterator[Json]:
    """The filters of a stage, shadows first: they count what an enforced limit of the stage refuses, too."""
    held = counted(gateway)
    for stage in _STAGES:
        if stage.early is early and any(stage.holds(limit) for limit in held):
            yield _filter(gateway, stage)


def _filter(gateway: Gateway, stage: Stage) -> Json:
    enforced = {"default_value": {"numerator": 0, "denominator": "HUNDRED"}, "runtime_key": "gwc.none"}
    return extension(
        stage.name,
        MESSAGE,
        stage=stage.number,
        stat_prefix=stage.name,
        enable_x_ratelimit_headers="OFF" if stage.shadow else "DRAFT_VERSION_03",
        **({"filter_enforced": enforced} if stage.shadow else {}),
        **asking(gateway, deny=not stage.shadow),
    )


def asking(gateway: Gateway, deny: bool) -> Json:
    """`deny`: whether a service that does not answer may refuse requests at all. The policy decides if it does."""
    store = _store(gateway)
    return {
        "domain": DOMAIN,
        "timeout": duration(PATIENCE),
        "failure_mode_deny": deny and store is not None and store.on_failure == "deny",
        "status_on_error": {"code": _UNAVAILABLE},
        "disable_x_envoy_ratelimited_header": True,
        "rate_limit_service": {
            "transport_api_version": "V3",
            "grpc_service": {"envoy_grpc": {"cluster_name": CLUSTER}, "timeout": duration(PATIENCE)},
        },
    }


def stage_number(limit: Limit) -> int:
    return next(stage.number for stage in _STAGES if stage.holds(limit))


def counts(gateway: Gateway) -> bool:
    """Whether there is a service to ask."""
    return _store(gateway) is not None


def entry_key(limit: Limit) -> str | None:
    """The descriptor's second key, whose value says whose bucket it is; None where all share one."""
    return _ENTRY.get(limit.key)


def clusters(gateway: Gateway) -> Iterator[Json]:
    """How the service is reached: gRPC, without TLS, as the policy gives an address alone."""
    store = _store(gateway)
    if store is None or store.service is None or not used(gateway):
        return
    host, port = store.service.host, store.service.port
    http2 = typed(
        "extensions.upstreams.http.v3.HttpProtocolOptions",
        explicit_http_config={"http2_protocol_options": {}},
    )
    caps = {"max_connections": UNLIMITED, "max_pending_requests": UNLIMITED, "max_requests": UNLIMITED}
    yield {
        "name": CLUSTER,
        "connect_timeout": duration(PATIENCE),
        "type": "STATIC" if _is_ip(host) else "STRICT_DNS",
        "circuit_breakers": {"thresholds": [caps]},
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": http2},
        "load_assignment": {
            "cluster_name": CLUSTER,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address(host, port)}}]}],
        },
    }


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
