"""The HTTP filters in their order. A request passes them from the top, a response from the bottom."""

from __future__ import annotations

from gwc.ir import Gateway
from gwc_envoy import body, errors, headers, hops, identity, request_id
from gwc_envoy.xds import Json


def http_filters(gateway: Gateway, scheme: str) -> list[Json]:
    chain = (
        headers.hygiene_filter(gateway),  # outermost: the last to see a response
        request_id.instance_filter(),  # before anything can answer: errors quote the path
        identity.forwarded_filter(gateway, scheme),  # takes an untrusted peer's ids away...
        request_id.correlation_filter(gateway),  # ...before they are judged
        errors.upstream_filter(),
        errors.retry_after_filter(),  # sees a response before it is replaced
        body.body_filter(),
        identity.gateway_secret_filter(gateway),  # late: only what is forwarded needs the proof
        hops.router_filter(),
    )
    return [entry for entry in chain if entry is not None]
