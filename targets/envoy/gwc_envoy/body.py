"""`max_body`: the whole body is read before the service sees any of it, so a chunked one is bounded too."""

from __future__ import annotations

from gwc.ir import Route
from gwc_envoy.shared import Shared
from gwc_envoy.xds import Json, extension, typed

FILTER = "gwc.max_body"
LARGEST = 2**32 - 1
"""Bytes; what Envoy's field can hold."""


def body_filter() -> Json:
    """The bound outside any route, where nothing reads a body: as small as Envoy takes."""
    return extension(FILTER, "extensions.filters.http.buffer.v3.Buffer", max_request_bytes=1)


UNREAD: Json = {FILTER: Shared(typed("extensions.filters.http.buffer.v3.BufferPerRoute", disabled=True))}
"""For answers that read no body: refusals, and upgraded connections."""


def exactly(route: Route) -> int:
    """For the script behind the filter, which counts neither the last frame of an HTTP/2 body nor a single byte."""
    return min(route.max_body, LARGEST)


def buffer_limit(route: Route) -> int:
    """Bytes of a body that are kept for a further try: all that `max_body` lets in."""
    return max(route.max_body, 1)


def bound(route: Route, upgraded: bool) -> int | None:
    """Bytes. An upgraded connection is no body: frames pass, bounded by the idle timeout alone."""
    return None if upgraded else min(max(route.max_body, 1), LARGEST)


def per_route(bound: int | None) -> Json:
    if bound is None:
        return UNREAD
    buffer = {"max_request_bytes": bound}
    return {FILTER: typed("extensions.filters.http.buffer.v3.BufferPerRoute", buffer=buffer)}
