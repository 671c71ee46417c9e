"""Rate limits: token buckets in this process.

There is one filter for each stage and mode, on the listener and not on routes, because every configuration of such a
filter has buckets of its own: those of a limit are shared by all routes and hosts that it covers. Routes name the
limits that apply to them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gwc.features import limits as all_limits
from gwc.ir import Budget, Gateway, Limit, LimitKey, Route, Service
from gwc_envoy import cluster
from gwc_envoy.auth import USER_HEADER
from gwc_envoy.stages import Stage
from gwc_envoy.xds import Json, extension, lua, set_header

DISTINCT = 100_000
"""Buckets kept for each limit, the least recently used given up first: about 60 MB when all are in use."""

LARGEST_RATE = 2**32 - 1
"""Tokens a period; what Envoy's field can hold, and more than any gateway serves."""

SHADOW_HEADER = "x-gwc-shadow"
_SHADOW_STATE = "gwc.shadow"
SHADOW = f"%FILTER_STATE({_SHADOW_STATE}:PLAIN)%"
_VALUE_LENGTH = 128
_NAMESPACE = "gwc.limits"
_MESSAGE = "extensions.filters.http.local_ratelimit.v3.LocalRateLimit"


BEFORE_AUTH = (Stage(1, early=True, shadow=True), Stage(0, early=True, shadow=False))
AFTER_AUTH = (Stage(3, early=False, shadow=True), Stage(2, early=False, shadow=False))
"""Shadows come first: they count what an enforced limit of the stage refuses, too."""


def rendered(gateway: Gateway) -> tuple[Limit, ...]:
    """Every limit that counts in this process."""
    return tuple(limit for _, limit in all_limits(gateway) if not limit.cluster)


def filters(gateway: Gateway, stages: tuple[Stage, ...]) -> Iterator[Json]:
    for stage in stages:
        held = [limit for limit in rendered(gateway) if stage.holds(limit)]
        if held:
            yield _filter(stage, held)


def _filter(stage: Stage, held: list[Limit]) -> Json:
    always = {"default_value": {"numerator": 100, "denominator": "HUNDRED"}, "runtime_key": "gwc.none"}
    never = {"default_value": {"numerator": 0, "denominator": "HUNDRED"}, "runtime_key": "gwc.none"}
    return extension(
        stage.name,
        _MESSAGE,
        stat_prefix=stage.name,
        stage=stage.number,
        filter_enabled=always,
        filter_enforced=never if stage.shadow else always,
        request_headers_to_add_when_not_enforced=[set_header(SHADOW_HEADER, stage.name)] if stage.shadow else [],
        max_dynamic_descriptors=DISTINCT,
        enable_x_ratelimit_headers="OFF" if stage.shadow else "DRAFT_VERSION_03",
        enable_retry_after_header=not stage.shadow,
        descriptors=[_descriptor(limit) for limit in held],
    )


def _descriptor(limit: Limit) -> Json:
    """An entry without a value has a bucket for every value that it meets."""
    entries = [{"key": "limit", "value": limit.id}]
    if limit.key is not LimitKey.SERVICE:
        entries.append({"key": _WILDCARDS[limit.key]})
    bucket = {
        "max_tokens": limit.burst,
        "tokens_per_fill": min(limit.rate.tokens, LARGEST_RATE),
        "fill_interval": f"{limit.rate.period}s",
    }
    return {"entries": entries, "token_bucket": bucket}


_WILDCARDS = {LimitKey.IP: "masked_remote_address", LimitKey.USER: "user", LimitKey.HEADER: "header"}


def route_rate_limits(gateway: Gateway, service: Service, route: Route) -> list[Json]:
    return [_named(limit) for limit in _counting(gateway, service, route)]


def early_rate_limits(gateway: Gateway, service: Service, route: Route) -> list[Json]:
    """Those that count before anybody is asked who they are."""
    return [_named(limit) for limit in _counting(gateway, service, route) if limit.key is LimitKey.IP]


def _counting(gateway: Gateway, service: Service, route: Route) -> list[Limit]:
    return [*_applying(gateway, service, route), *cluster.applying(gateway, service, route)]


def _applying(gateway: Gateway, service: Service, route: Route) -> list[Limit]:
    levels = [*gateway.limits, *service.limits, *route.limits]
    return [limit for limit in levels if not limit.cluster and _counts(limit, route)]


def share_a_stage(gateway: Gateway, limit: Limit) -> bool:
    """Whether some request passes `limit` and another one of its stage, which Envoy takes in turn."""
    stage = next(stage for stage in (*BEFORE_AUTH, *AFTER_AUTH) if stage.holds(limit))
    return any(
        sum(stage.holds(other) for other in applying) > 1
        for service in gateway.services
        if _among(limit, gateway.limits) or _owns(service, limit)
        for route in service.routes
        if _among(limit, applying := _applying(gateway, service, route))
    )


def _owns(service: Service, limit: Limit) -> bool:
    return _among(limit, service.limits) or any(_among(limit, route.limits) for route in service.routes)


def _among(limit: Limit, limits: Iterable[Limit]) -> bool:
    return any(other.id == limit.id for other in limits)


def _counts(limit: Limit, route: Route) -> bool:
    """A service's user limits do not apply to its public routes."""
    return limit.key is not LimitKey.USER or route.auth is not None


def _named(limit: Limit) -> Json:
    name = {"generic_key": {"descriptor_key": "limit", "descriptor_value": limit.id}}
    return {"stage": _stage_number(limit), "actions": [name, *_key(limit)]}


def _stage_number(limit: Limit) -> int:
    if limit.cluster:
        return cluster.stage_number(limit)
    return next(stage.number for stage in (*BEFORE_AUTH, *AFTER_AUTH) if stage.holds(limit))


def _key(limit: Limit) -> list[Json]:
    if limit.key is LimitKey.IP:  # a client has a /64 of IPv6
        return [{"masked_remote_address": {"v4_prefix_mask_len": 32, "v6_prefix_mask_len": 64}}]
    if limit.key is LimitKey.USER:
        return [{"request_headers": {"header_name": USER_HEADER, "descriptor_key": "user"}}]
    if limit.key is LimitKey.HEADER:
        return [_header_value(limit)]
    return []


def _header_value(limit: Limit) -> Json:
    """Requests without the header share one bucket: an absent value would otherwise be no limit at all."""
    where = {"key": _NAMESPACE, "path": [{"key": str(limit.header)}]}
    metadata = {"descriptor_key": "header", "metadata_key": where, "source": "DYNAMIC", "default_value": "-"}
    return {"metadata": metadata}


def header_filter(gateway: Gateway) -> Json | None:
    """Notes the headers that limits count by. What is longer than anybody's key shares a bucket with its beginning."""
    counted = (*rendered(gateway), *cluster.counted(gateway))
    names = sorted({limit.header for limit in counted if limit.header is not None})
    if not names:
        return None
    return extension(
        "gwc.limits.headers",
        "extensions.filters.http.header_to_metadata.v3.Config",
        request_rules=[_rule(name) for name in names],
    )


def _rule(name: str) -> Json:
    shortened = {"pattern": {"regex": f"^(.{{1,{_VALUE_LENGTH}}}).*$"}, "substitution": "\\1"}
    note = {"metadata_namespace": _NAMESPACE, "key": name, "type": "STRING", "regex_value_rewrite": shortened}
    return {"header": name, "on_header_present": note}


def shadow_filter(gateway: Gateway) -> Json | None:
    """Remembers for the access log that a shadow limit would have refused the request."""
    if not any(limit.shadow for limit in rendered(gateway)):
        return None
    value = {
        "object_key": _SHADOW_STATE,
        "factory_key": "envoy.string",
        "format_string": {"text_format_source": {"inline_string": f"%REQ({SHADOW_HEADER})%"}},
        "skip_if_empty": True,
    }
    return extension(
        "gwc.limits.shadowed", "extensions.filters.http.set_filter_state.v3.Config", on_request_headers=[value]
    )


_ANSWER = "gwc.limits.answer"


def answer_filter(gateway: Gateway) -> Json | None:
    """Adds the standard's headers to a refusal, and the time of renewal to a budget's."""
    budgets = any(service.budget is not None for service in gateway.services)
    enforced = any(not limit.shadow for limit in (*rendered(gateway), *cluster.counted(gateway)))
    return lua(_ANSWER, "ratelimit.lua") if enforced or budgets else None


def metadata(gateway: Gateway, service: Service, route: Route, budget: Budget | None) -> Json:
    """What the filter knows of a route's limits: `q` tokens in `w` seconds, and whose burst or window a number is."""
    enforced = [limit for limit in _counting(gateway, service, route) if not limit.shadow]
    rates = {limit.id: limit.rate for limit in enforced} | ({"budget": budget.units} if budget else {})
    if not rates:
        return {}
    policies = ", ".join(f'"{name}";q={rate.tokens};w={rate.period}' for name, rate in rates.items())
    bursts = {f"burst:{m.rate.tokens if m.cluster else m.burst}": m.id for m in reversed(enforced)}
    return {_ANSWER: {"policies": policies, **bursts, **({"period": budget.units.period} if budget else {})}}
