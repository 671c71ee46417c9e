"""Timeouts of one route. The connect timeout belongs to the cluster: see `upstream`."""

from __future__ import annotations

from typing import NamedTuple

from gwc.ir import Route
from gwc_envoy.xds import Json, duration

_GRACE = 0.05
"""Seconds that a hop waits longer than what is behind it, whose breaker counts a timeout only if it ran there."""


class Times(NamedTuple):
    """Seconds. `unbounded`: of a stream, whose end would be cut."""

    request: float
    idle: float
    unbounded: bool


def times(route: Route) -> Times:
    return Times(route.timeouts.request, route.timeouts.idle, route.stream or route.websocket)


def action_fields(times: Times) -> Json:
    """`timeout` runs from the request's end to the response's end. It would cut a stream, so a stream has none."""
    return {
        "timeout": "0s" if times.unbounded else duration(times.request),
        "idle_timeout": duration(times.idle),
    }


def before_hop(times: Times, hops: int = 1) -> Json:
    """The bound over all that is behind so many hops."""
    fields = action_fields(times)
    bounded = duration(times.request + hops * _GRACE)
    return fields if times.unbounded else {**fields, "timeout": bounded}


def first_byte(times: Times) -> Json:
    """The timeout of a try ends with the response's headers; as the only try of a hop it covers all that is behind."""
    only_try = {"num_retries": 0, "per_try_timeout": duration(times.request + _GRACE)}
    return {**action_fields(times), "retry_policy": only_try}
