"""The admin listener: readiness, metrics under the policy's path, and what a live diff reads. Nothing else.

Envoy's own admin interface has fixed paths and commands that change the process, so it listens on an abstract socket
of this network namespace, and a listener passes the few paths on.
"""

from __future__ import annotations

from gwc.ir import Address, Gateway
from gwc_envoy import cache, hops
from gwc_envoy.listen import listener
from gwc_envoy.xds import Json, extension

CLUSTER = "gwc.admin"
_PATHS = ("/ready", "/stats/prometheus", "/config_dump")


def _socket(gateway: Gateway) -> Json:
    return {"pipe": {"path": f"@gwc-envoy-{gateway.listen.admin}"}}


def admin(gateway: Gateway) -> Json:
    return {"address": _socket(gateway), "allow_paths": [{"exact": path} for path in _PATHS]}


def cluster(gateway: Gateway) -> Json:
    endpoint = {"endpoint": {"address": _socket(gateway)}}
    return {
        "name": CLUSTER,
        "connect_timeout": "1s",
        "type": "STATIC",
        "load_assignment": {"cluster_name": CLUSTER, "endpoints": [{"lb_endpoints": [endpoint]}]},
    }


def admin_listener(gateway: Gateway) -> Json:
    where: Address = gateway.listen.admin
    return listener("admin", where, _connection_manager(gateway))


def _connection_manager(gateway: Gateway) -> Json:
    paths = {gateway.metrics_path: "/stats/prometheus", "/config_dump": "/config_dump", "/ready": "/ready"}
    routes = [*(_route(path, own) for path, own in sorted(paths.items())), *cache.purge_routes(gateway)]
    purge = cache.purge_filter(gateway)
    return extension(
        "envoy.filters.network.http_connection_manager",
        "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="admin",
        server_header_transformation="PASS_THROUGH",
        normalize_path=True,
        http_filters=[*([purge] if purge else []), hops.router_filter()],
        route_config={"name": "admin", "virtual_hosts": [{"name": "admin", "domains": ["*"], "routes": routes}]},
    )


def _route(path: str, own: str) -> Json:
    only_get = {"name": ":method", "string_match": {"exact": "GET"}}
    return {
        "match": {"path": path, "headers": [only_get]},
        "route": {"cluster": CLUSTER, "prefix_rewrite": own, "timeout": "30s"},
        "response_headers_to_remove": ["server"],
    }
