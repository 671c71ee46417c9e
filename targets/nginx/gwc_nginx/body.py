"""Request bodies, and whether an answer is held back until a buffer is full."""

from __future__ import annotations

from gwc.ir import Route
from gwc_nginx.conf import Directive, d


def limit(route: Route) -> tuple[Directive, ...]:
    """Zero would mean no limit to NGINX; one byte is the smallest that it can say."""
    return (d("client_max_body_size", str(max(1, route.max_body))),)


def flow(route: Route) -> tuple[Directive, ...]:
    return (d("proxy_buffering", "off"),) if route.stream or route.websocket else ()
