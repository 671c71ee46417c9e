"""The internal listeners that `actions` may lead a request through, and the clusters that lead to them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from gwc.ir import Gateway, Route, Service
from gwc_envoy import actions, body, errors, headers, request_id, tree
from gwc_envoy.actions import Chain, Hop
from gwc_envoy.rows import Rows, Run, runs
from gwc_envoy.upstream import cluster_name, http_options, threshold
from gwc_envoy.xds import Json, extension, lua

BOOTSTRAP_EXTENSION = extension(
    "envoy.bootstrap.internal_listener", "extensions.bootstrap.internal_listener.v3.InternalListener"
)
_MAX_HEADERS = 96
"""KiB; more than the outer listener takes (60), because headers are added on the way."""


def listeners(gateway: Gateway) -> Iterator[Json]:
    for hop in actions.used(gateway):
        replies = errors.failure_replies(gateway) if hop is Hop.SINGLE_TRY else errors.local_reply(gateway)
        covering = [errors.covered_filter(), lua(hop.value, "cache_cover.lua")] if hop is Hop.COVER else []
        filters = [request_id.instance_filter(), *covering]
        manager = connection_manager(hop.value, replies, filters, _virtual_host(gateway, hop))
        yield internal_listener(hop.value, manager)


def internal_listener(name: str, manager: Json) -> Json:
    return {"name": name, "internal_listener": {}, "filter_chains": [{"filters": [manager]}]}


def clusters(gateway: Gateway) -> Iterator[Json | Run]:
    """In the order of their names, in which those of one service need not be neighbours."""
    for hop in sorted(actions.used(gateway)):
        if hop is Hop.ALL:
            yield _capped(gateway)
        else:
            yield from _clusters(gateway, hop)


def _clusters(gateway: Gateway, hop: Hop) -> Iterator[Run]:
    behind = {cluster_name(service, route): service for service, route, _ in actions.through(gateway, hop)}
    for _, found in groupby(sorted(behind), lambda name: behind[name].name):
        names = list(found)
        yield Run(behind[names[0]], clusters_to, (hop.value, *names))


def all_clusters(gateway: Gateway) -> Iterator[Json]:
    """All of them, in the order of their names."""
    for hop in sorted(actions.used(gateway)):
        if hop is Hop.ALL:
            yield _capped(gateway)
        else:
            behind = {cluster_name(service, route) for service, route, _ in actions.through(gateway, hop)}
            yield from clusters_to(gateway, hop, *sorted(behind))


def _capped(gateway: Gateway) -> Json:
    return internal_cluster(Hop.ALL.value, Hop.ALL.value, threshold(None, gateway.concurrency))


def clusters_to(gateway: Gateway, hop: str, *names: str) -> Iterator[Json]:
    """Those behind which `names` are."""
    routes = {cluster_name(s, route): route for s, route, _ in actions.through(gateway, Hop(hop))}
    for name in names:
        retried = routes[name].retries
        caps = threshold(retried.budget if retried.attempts else None, None)
        yield internal_cluster(actions.hop_cluster(Hop(hop), name), hop, caps)


def internal_cluster(name: str, listener: str, caps: Json) -> Json:
    where = {"envoy_internal_address": {"server_listener_name": listener, "endpoint_id": name}}
    return {
        "name": name,
        "connect_timeout": "1s",
        "type": "STATIC",
        "circuit_breakers": {"thresholds": [caps]},
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [{"endpoint": {"address": where}}]}]},
        "typed_extension_protocol_options": http_options(False),
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


_Taken = tuple[Service, Route, tuple[str, ...]]
"""A route that takes a hop, and the methods of which it takes it."""


def _virtual_host(gateway: Gateway, hop: Hop) -> Json:
    """Where many routes take a hop, the routes of each service are a list: Envoy tries those of a list in turn."""
    found = list(actions.through(gateway, hop))
    host = {"name": hop.value, "domains": ["*"]}
    if len(found) <= tree.FEW:
        return {**host, "routes": _rows(gateway, hop, hop.value, found)}
    lists: dict[str | None, Rows] = {
        f"{name}/": _rows(gateway, hop, f"{hop.value}/{name}", list(own))
        for name, own in groupby(found, key=lambda one: one[0].name)
    }
    return {**host, **tree.matched(lists, actions.KEY_HEADER)}


def _rows(gateway: Gateway, hop: Hop, name: str, found: Sequence[_Taken]) -> Rows:
    services = [service for service, _, _ in found]
    return Rows(name, lambda: runs(services, routes, hop.value), lambda: _routes(gateway, hop, found))


def routes(gateway: Gateway, hop: str) -> Iterator[Json]:
    return _routes(gateway, Hop(hop), actions.through(gateway, Hop(hop)))


def _routes(gateway: Gateway, hop: Hop, found: Iterable[_Taken]) -> Iterator[Json]:
    for service, route, methods in found:
        chain = actions.chain(gateway, service, route, methods)
        yield _route(f"{service.name}/{route.name}", chain, hop, body.buffer_limit(route))


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
