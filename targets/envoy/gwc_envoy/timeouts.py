"""Timeouts of one route. The connect timeout belongs to the cluster: see `upstream`."""

from __future__ import annotations

from gwc.ir import Route
from gwc_envoy.xds import Json, duration


def action_fields(route: Route) -> Json:
    """`timeout` runs from the request's end to the response's end and would cut a stream, so a stream has none:

    its first byte is bounded by the timeout of the try (see `retries`), which ends with the response's headers.
    """
    unbounded = route.stream or route.websocket
    return {
        "timeout": "0s" if unbounded else duration(route.timeouts.request),
        "idle_timeout": duration(route.timeouts.idle),
    }
