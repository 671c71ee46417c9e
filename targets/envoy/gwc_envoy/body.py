"""`max_body`: the whole body is read before the service sees any of it, so a chunked one is bounded too."""

from __future__ import annotations

from gwc.ir import Gateway, Route
from gwc_envoy.xds import Json, extension, lua, typed

FILTER, NONE = "gwc.max_body", "gwc.no_body"
LARGEST = 2**32 - 1
"""Bytes; what Envoy's field can hold."""


def body_filter() -> Json:
    """The bound outside any route, where nothing reads a body: as small as Envoy takes."""
    return extension(FILTER, "extensions.filters.http.buffer.v3.Buffer", max_request_bytes=1)


UNREAD: Json = {FILTER: typed("extensions.filters.http.buffer.v3.BufferPerRoute", disabled=True)}
"""For answers that read no body: refusals, and upgraded connections."""


def no_body_filter(gateway: Gateway) -> Json | None:
    """Envoy's smallest bound is one byte: what is left of a body behind it is refused where none may be."""
    none_at_all = any(route.max_body == 0 for service in gateway.services for route in service.routes)
    return lua(NONE, "nobody.lua") if none_at_all else None


def metadata(route: Route) -> Json:
    return {NONE: {"refuse": True}} if route.max_body == 0 and not route.websocket else {}


def buffer_limit(route: Route) -> int:
    """Bytes of a body that are kept for a further try: all that `max_body` lets in."""
    return max(route.max_body, 1)


def per_route(route: Route) -> Json:
    """An upgraded connection is no body: frames pass, bounded by the idle timeout alone."""
    if route.websocket:
        return UNREAD
    bound = {"max_request_bytes": min(max(route.max_body, 1), LARGEST)}
    return {FILTER: typed("extensions.filters.http.buffer.v3.BufferPerRoute", buffer=bound)}
