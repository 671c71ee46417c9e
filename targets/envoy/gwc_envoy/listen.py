"""Listeners and the HTTP connection manager."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from types import MappingProxyType
from typing import Any

from gwc.ir import Address, Gateway
from gwc_envoy import access_log, errors, filters, https, identity, metrics, request_id, tracing
from gwc_envoy.routing import route_configuration
from gwc_envoy.rows import Rows
from gwc_envoy.xds import Json, address, cidr, duration, extension

HEADERS_TIMEOUT = 10.0
"""Seconds for a request's headers to arrive: a client that trickles them holds nothing for longer."""
IDLE_CONNECTION = 75.0
"""Seconds that a client may keep a connection on which it asks nothing."""
DELAYED_CLOSE = 0.5
"""Seconds that a connection which must end stays open, for a client that is still sending to read the answer."""
_HTTP2 = {"max_concurrent_streams": 100, "initial_stream_window_size": 65536, "initial_connection_window_size": 2**20}
"""What one connection may hold of this process's memory."""


_PLAIN: Mapping[str, Any] = MappingProxyType({})


def listeners(gateway: Gateway) -> Iterator[Json]:
    listen = gateway.listen
    if listen.http is not None:
        manager = redirecting_manager(gateway) if https.only_redirects(gateway) else connection_manager(gateway, "http")
        yield listener("http", listen.http, manager)
    if listen.https is not None:
        manager = connection_manager(gateway, "https")
        yield listener("https", listen.https.address, manager, https.transport(listen.https))


def listener(name: str, where: Address, manager: Json, transport: Mapping[str, Any] = _PLAIN) -> Json:
    return {
        "name": name,
        "address": address(where.host, where.port),
        "filter_chains": [{"filters": [manager], **transport}],
    }


def connection_manager(gateway: Gateway, scheme: str) -> Json:
    passed = Rows(f"{scheme}/filters", lambda: filters.http_filters(gateway, scheme))
    return _manager(gateway, passed, route_configuration(gateway, scheme), **_paths())


def redirecting_manager(gateway: Gateway) -> Json:
    """Takes paths as they come: what they mean is for the listener to say that they are sent to. A host's port is that
    of this listener, and no part of where HTTPS is."""
    secure = gateway.listen.https
    routes = https.redirects(secure, gateway) if secure is not None else {}
    return _manager(gateway, filters.redirect_filters(gateway), routes, strip_any_host_port=True)


def _manager(gateway: Gateway, http_filters: list[Json] | Rows, routes: Json, **more: Any) -> Json:
    early = extension(
        "gwc.early",
        "extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
        mutations=identity.early_mutations(gateway),
    )
    return extension(
        "envoy.filters.network.http_connection_manager",
        "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="http",
        early_header_mutation_extensions=[early],
        **_client_address(gateway),
        **_protocol(),
        **tracing.manager_fields(gateway),
        **request_id.connection_manager_fields(),
        local_reply_config=errors.local_reply(gateway, errors.Place.LISTENER),
        access_log=Rows("log", lambda: chain(access_log.access_log(gateway), metrics.loggers(gateway))),
        http_filters=http_filters,
        route_config=routes,
        **more,
    )


def _client_address(gateway: Gateway) -> Json:
    """Without trusted proxies the peer is the client, whatever it says."""
    if not gateway.trusted_proxies:
        return {"use_remote_address": True}
    ranges = [cidr(network) for network in gateway.trusted_proxies]
    detection = extension(
        "gwc.client_address",
        "extensions.http.original_ip_detection.xff.v3.XffConfig",
        xff_trusted_cidrs={"cidrs": ranges},
        skip_xff_append=False,
    )
    return {"use_remote_address": False, "original_ip_detection_extensions": [detection]}


def _paths() -> Json:
    """They are normalised before matching; encoded slashes are kept for `routing` to refuse with a problem body."""
    return {"normalize_path": True, "merge_slashes": True, "path_with_escaped_slashes_action": "KEEP_UNCHANGED"}


def _protocol() -> Json:
    """Header names with underscores are dropped: some services read X_User_Id as X-User-Id."""
    return {
        "server_header_transformation": "PASS_THROUGH",
        "delayed_close_timeout": duration(DELAYED_CLOSE),
        "request_headers_timeout": duration(HEADERS_TIMEOUT),
        "common_http_protocol_options": {
            "headers_with_underscores_action": "DROP_HEADER",
            "idle_timeout": duration(IDLE_CONNECTION),
        },
        "http_protocol_options": {"allow_custom_methods": True},
        "http2_protocol_options": _HTTP2,
    }
