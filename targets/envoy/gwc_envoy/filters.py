"""The HTTP filters in their order. A request passes them from the top, a response from the bottom."""

from __future__ import annotations

from collections.abc import Iterator

from gwc.ir import Gateway
from gwc_envoy import (
    access_log,
    auth,
    body,
    budget,
    cache,
    cluster,
    cluster_budget,
    cors,
    errors,
    headers,
    hops,
    identity,
    limits,
    request_id,
    stages,
)
from gwc_envoy.xds import Json


def http_filters(gateway: Gateway, scheme: str) -> Iterator[Json]:
    protected = any(route.auth is not None for service in gateway.services for route in service.routes)
    chain = (
        headers.hygiene_filter(gateway),  # outermost: the last to see a response
        cors.cors_filter(gateway),  # errors are for the page's eyes, too
        request_id.instance_filter(),  # before anything can answer: errors quote the path
        identity.forwarded_filter(gateway, scheme),  # takes an untrusted peer's ids away...
        access_log.request_filter(gateway),  # ...before they are judged; notes the request as it came
        limits.answer_filter(gateway),  # outside every limit
        *limits.filters(gateway, stages.BEFORE_AUTH),  # a flood of bad tokens costs no verification
        *cluster.filters(gateway, early=True),  # behind the gateway's own, which spare the service a flood
        cors.preflight_filter(gateway),  # nobody is asked for credentials
        auth.token_filter(gateway),
        auth.jwt_filter(gateway),
        auth.script_filter(gateway) if protected else None,  # reads what the token filter found
        limits.header_filter(gateway),
        *limits.filters(gateway, stages.AFTER_AUTH),  # counts by the verified user
        *cluster.filters(gateway, early=False),
        errors.upstream_filter(),
        errors.retry_after_filter(),  # sees a response before it is replaced
        cache.cache_filter(gateway),  # covers for a failure before it is shaped
        cache.gone_filter(gateway),
        budget.budget_filter(gateway),  # last: no other refusal may cost units, and no answer that is kept
        cluster_budget.budget_filter(gateway),
        cluster_budget.charge_filter(gateway),  # sees it too
        body.body_filter(),
        identity.gateway_secret_filter(gateway),  # late: only what is forwarded needs the proof
        access_log.attempt_filter(gateway),  # innermost: behind it is nothing but the service
        hops.router_filter(),
    )
    return (entry for entry in chain if entry is not None)


def redirect_filters(gateway: Gateway) -> list[Json]:
    """For a listener that only redirects: ids, and no trace of the engine."""
    return [
        headers.hygiene_filter(gateway),
        request_id.instance_filter(),
        identity.forwarded_filter(gateway, "http"),
        access_log.request_filter(gateway),
        hops.router_filter(),
    ]
