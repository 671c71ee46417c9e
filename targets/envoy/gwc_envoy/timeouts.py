"""Timeouts of one route. The connect timeout belongs to the cluster: see `upstream`."""

from __future__ import annotations

from gwc.ir import Route
from gwc_envoy.xds import Json, duration

_GRACE = 0.05
"""Seconds that a hop waits longer than what is behind it, whose breaker counts a timeout only if it ran there."""


def action_fields(route: Route) -> Json:
    """`timeout` runs from the request's end to the response's end. It would cut a stream, so a stream has none."""
    unbounded = route.stream or route.websocket
    return {
        "timeout": "0s" if unbounded else duration(route.timeouts.request),
        "idle_timeout": duration(route.timeouts.idle),
    }


def before_hop(route: Route, hops: int = 1) -> Json:
    """The bound over all that is behind so many hops."""
    fields = action_fields(route)
    bounded = duration(route.timeouts.request + hops * _GRACE)
    return fields if route.stream or route.websocket else {**fields, "timeout": bounded}


def first_byte(route: Route) -> Json:
    """The timeout of a try ends with the response's headers; as the only try of a hop it covers all that is behind."""
    only_try = {"num_retries": 0, "per_try_timeout": duration(route.timeouts.request + _GRACE)}
    return {**action_fields(route), "retry_policy": only_try}
