"""The internal listeners that `actions` may lead a request through, and the clusters that lead to them."""

from __future__ import annotations

from collections.abc import Iterator

from gwc.ir import Gateway, Route
from gwc_envoy import actions, body, errors, headers, request_id
from gwc_envoy.actions import Chain, Hop
from gwc_envoy.upstream import cluster_name, http_options, threshold
from gwc_envoy.xds import Json, extension, lua

BOOTSTRAP_EXTENSION = extension(
    "envoy.bootstrap.internal_listener", "extensions.bootstrap.internal_listener.v3.InternalListener"
)
_MAX_HEADERS = 96
"""KiB; more than the outer listener takes (60), because headers are added on the way."""


def used(gateway: Gateway) -> tuple[Hop, ...]:
    found = {hop for _, _, chain in actions.chains(gateway) for hop in chain.behind}
    return tuple(hop for hop in Hop if hop in found)


def listeners(gateway: Gateway) -> Iterator[Json]:
    for hop in used(gateway):
        replies = errors.failure_replies(gateway) if hop is Hop.SINGLE_TRY else errors.local_reply(gateway)
        covering = [errors.covered_filter(), lua(hop.value, "cache_cover.lua")] if hop is Hop.COVER else []
        filters = [request_id.instance_filter(), *covering]
        manager = connection_manager(hop.value, replies, filters, _virtual_host(gateway, hop))
        yield internal_listener(hop.value, manager)


def internal_listener(name: str, manager: Json) -> Json:
    return {"name": name, "internal_listener": {}, "filter_chains": [{"filters": [manager]}]}


def clusters(gateway: Gateway) -> Iterator[Json]:
    found: dict[str, tuple[Hop, Json]] = {}
    for service, route, chain in actions.chains(gateway):
        for hop in chain.behind:
            name = actions.hop_cluster(hop, cluster_name(service, route))
            found[name] = (hop, _threshold(gateway, hop, route))
    for name, (hop, caps) in sorted(found.items()):
        yield internal_cluster(name, hop.value, caps)


def _threshold(gateway: Gateway, hop: Hop, route: Route) -> Json:
    if hop is Hop.ALL:
        return threshold(None, gateway.concurrency)
    return threshold(route.retries.budget if route.retries.attempts else None, None)


def internal_cluster(name: str, listener: str, caps: Json) -> Json:
    where = {"envoy_internal_address": {"server_listener_name": listener, "endpoint_id": name}}
    return {
        "name": name,
        "connect_timeout": "1s",
        "type": "STATIC",
        "circuit_breakers": {"thresholds": [caps]},
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [{"endpoint": {"address": where}}]}]},
        "typed_extension_protocol_options": http_options(),
    }


def connection_manager(name: str, replies: Json, http_filters: list[Json], virtual_host: Json) -> Json:
    """Passes everything on as it came: the outer listener has judged it already."""
    return extension(
        "envoy.filters.network.http_connection_manager",
        "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix=name,
        use_remote_address=False,
        skip_xff_append=True,
        generate_request_id=False,
        server_header_transformation="PASS_THROUGH",
        max_request_headers_kb=_MAX_HEADERS,
        stream_idle_timeout="0s",
        delayed_close_timeout="0s",
        local_reply_config=replies,
        http_filters=[*http_filters, router_filter()],
        route_config={"name": name, "virtual_hosts": [virtual_host]},
    )


def router_filter() -> Json:
    return extension(
        "envoy.filters.http.router", "extensions.filters.http.router.v3.Router", suppress_envoy_headers=True
    )


def _virtual_host(gateway: Gateway, hop: Hop) -> Json:
    routes = [
        _route(f"{service.name}/{route.name}", chain, hop, body.buffer_limit(route))
        for service, route, chain in actions.chains(gateway)
        if hop in chain.behind
    ]
    return {"name": hop.value, "domains": ["*"], "routes": routes}


_ATTEMPTS = {
    "header": {"key": errors.ATTEMPTS_HEADER, "value": errors.ATTEMPTS},
    "append_action": "ADD_IF_ABSENT",
}
"""The hop that tries again has the last word, and the innermost speaks first."""


def _route(name: str, chain: Chain, hop: Hop, buffer_limit: int) -> Json:
    key = {"name": actions.KEY_HEADER, "string_match": {"exact": chain.key}}
    return {
        "name": name,
        "match": {"prefix": "/", "headers": [key]},
        "route": chain.behind[hop],
        "request_body_buffer_limit": buffer_limit,
        "request_headers_to_remove": [actions.KEY_HEADER] if hop is chain.last else [],
        "response_headers_to_remove": headers.OWN_RESPONSE_HEADERS if hop is chain.last else [],
        "response_headers_to_add": [] if hop is Hop.SINGLE_TRY else [_ATTEMPTS],
    }
