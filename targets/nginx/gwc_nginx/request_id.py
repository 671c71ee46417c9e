"""The request id and the trace context: kept as far as the policy believes the client, made here otherwise."""

from __future__ import annotations

from collections.abc import Iterator

from gwc.ir import Accept, Gateway
from gwc_nginx import tracing
from gwc_nginx.conf import Directive, block, d
from gwc_nginx.quoting import q

_BELIEVED = {Accept.ALWAYS: "1", Accept.FROM_TRUSTED_PROXIES: "$gwc_trusted", Accept.NEVER: "0"}


def variable_of(header: str) -> str:
    """NGINX's variable that holds a request header."""
    return "$http_" + header.lower().replace("-", "_")


def correlation(gateway: Gateway) -> Iterator[Directive]:
    """`$gwc_request_id`, and the parts of `traceparent`. A span id that is all zero cannot come out."""
    believed = _BELIEVED[gateway.request_id.accept]
    origin = (gateway.request_id, "accept")
    client = variable_of(gateway.request_id.header)
    yield block("map", q(f"{believed}:{client}"), "$gwc_request_id", origin=origin, of=(
        d("default", "$request_id"),
        d(q(r"~^1:(?<gwc_kept_id>[A-Za-z0-9_.:-]{8,128})\z"), "$gwc_kept_id"),
    ))  # fmt: skip
    trace = r"~^1:00-(?!0{32})(?<gwc_kept_trace>[0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-(?<gwc_kept_flags>[0-9a-f]{2})\z"
    yield block("map", q(f"{believed}:$http_traceparent"), "$gwc_trace", origin=origin, of=(
        d("default", q("$request_id-$gwc_span-$gwc_sampled")),
        d(q(trace), q("$gwc_kept_trace-$gwc_span-$gwc_kept_flags")),
    ))  # fmt: skip
    parent = trace.replace("gwc_kept", "gwc_caller").replace(
        "(?!0{16})[0-9a-f]{16}", "(?!0{16})(?<gwc_caller_span>[0-9a-f]{16})"
    )
    yield block("map", q(f"{believed}:$http_traceparent"), "$gwc_parent_span", origin=origin, of=(
        d("default", q("")),
        d(q(parent), "$gwc_caller_span"),
    ))  # fmt: skip
    yield block("map", q(f"{believed}:$http_traceparent"), "$gwc_tracestate", origin=origin, of=(
        d("default", q("")),
        d(q(trace.replace("gwc_kept", "gwc_state")), "$http_tracestate"),
    ))  # fmt: skip
    yield tracing.sampling(gateway)
    yield block("map", "$request_id", "$gwc_span", of=(
        d("default", "1111111111111111"),
        d(q(r"~(?!0{16})(?<gwc_half>[0-9a-f]{16})\z"), "$gwc_half"),
    ))  # fmt: skip


def headers(gateway: Gateway) -> Iterator[tuple[str, str]]:
    yield gateway.request_id.header, "$gwc_request_id"
    yield "traceparent", "00-$gwc_trace"
    yield "tracestate", "$gwc_tracestate"
