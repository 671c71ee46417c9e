"""Who a request is from: what the gateway alone may say to a service, and what no client may."""

from __future__ import annotations

from collections.abc import Iterator

from gwc.ir import Gateway
from gwc_nginx.conf import Directive, block, d
from gwc_nginx.quoting import q

_ENVOY = (
    *("attempt-count", "decorator-operation", "downstream-service-cluster", "downstream-service-node"),
    *("expected-rq-timeout-ms", "external-address", "force-trace", "hedge-on-per-try-timeout"),
    *("immediate-health-check-fail", "internal", "ip-tags", "is-timeout-retry", "max-retries", "original-dst-host"),
    *("original-host", "original-path", "peer-metadata", "peer-metadata-id", "ratelimited"),
    *("retriable-header-names", "retriable-status-codes"),
    *("retry-grpc-on", "retry-on", "upstream-alt-stat-name", "upstream-canary", "upstream-healthchecked-cluster"),
    *("upstream-host", "upstream-rq-per-try-timeout-ms", "upstream-rq-timeout-alt-response", "upstream-rq-timeout-ms"),
    *("upstream-service-time", "upstream-stream-duration-ms", "degraded", "local-overloaded", "overloaded"),
)  # fmt: skip
_KONG = (
    *("x-consumer-custom-id", "x-consumer-groups", "x-consumer-id", "x-consumer-username", "x-anonymous-consumer"),
    *("x-credential-identifier", "x-credential-username", "x-credential-id", "x-authenticated-scope"),
    *("x-authenticated-userid", "x-authenticated-groups", "x-kong-request-id", "x-kong-request-debug"),
    *("x-kong-request-debug-log", "x-kong-request-debug-token", "x-kong-admin-request-id"),
    *("x-forwarded-path", "x-forwarded-prefix"),
)
_NGINX = ("x-accel-buffering", "x-accel-charset", "x-accel-expires", "x-accel-limit-rate", "x-accel-redirect")
_ADDRESS = ("forwarded", "x-real-ip", "x-forwarded-port")
_WORDS = ("address", "errand", "hop", "lane", "limited", "reason", "tries", "unfit", "upstream")
_HOPS = tuple(f"x-gwc-{word}" for word in _WORDS)
"""What the hops of this gateway say to each other. The inner one obeys: from a client it would choose the service."""

STRIPPED = tuple(sorted((*(f"x-envoy-{name}" for name in _ENVOY), *_KONG, *_NGINX, *_ADDRESS, *_HOPS)))
"""Request headers, lower case, with which proxies speak to one another and that no service may see from a client.
Names as Envoy 1.40, Kong 3.9 and NGINX 1.31 document them."""


def clients(gateway: Gateway) -> Iterator[Directive]:
    """The client's address, and what is believed of a peer: `$gwc_trusted` is 1 for a trusted proxy."""
    origin = (gateway, "trusted_proxies")
    networks = [q(network) for network in gateway.trusted_proxies]
    yield from (d("set_real_ip_from", network, origin=origin) for network in networks)
    if networks:
        yield d("real_ip_header", "X-Forwarded-For")
        yield d("real_ip_recursive", "on")
    yield block(
        "geo",
        "$realip_remote_addr",
        "$gwc_trusted",
        of=(d("default", "0"), *(d(network, "1") for network in networks)),
        origin=origin,
    )
    yield _map("$gwc_trusted:$http_x_forwarded_for", "$gwc_forwarded_for", "$realip_remote_addr", (
        (r"~^1:.", "$http_x_forwarded_for, $realip_remote_addr"),
    ))  # fmt: skip
    yield _map("$gwc_trusted:$http_x_forwarded_proto", "$gwc_forwarded_proto", "$scheme", (
        (r"~^1:http\z", "http"), (r"~^1:https\z", "https"),
    ))  # fmt: skip
    yield _map("$gwc_trusted:$http_x_forwarded_host", "$gwc_forwarded_host", "$gwc_host", (
        (r"~^1:(?<gwc_asked_host>[A-Za-z0-9.:_\[\]-]+)\z", "$gwc_asked_host"),
    ))  # fmt: skip


def _map(source: str, variable: str, default: str, cases: tuple[tuple[str, str], ...]) -> Directive:
    return block("map", q(source), variable, of=(d("default", q(default)), *(d(q(k), q(v)) for k, v in cases)))


def forwarded(gateway: Gateway) -> Iterator[tuple[str, str]]:
    """Request headers that only the gateway may set, with NGINX's expression of each. Empty removes."""
    yield from ((name, "") for name in STRIPPED)
    yield "X-Forwarded-For", "$gwc_forwarded_for"
    yield "X-Forwarded-Proto", "$gwc_forwarded_proto"
    yield "X-Forwarded-Host", "$gwc_forwarded_host"
    yield gateway.identity.user_header, ""
    if gateway.identity.api_key is not None:
        yield gateway.identity.api_key.header, ""
    if gateway.identity.gateway_secret is not None:
        yield gateway.identity.gateway_secret.header, "$gwc_secret"
