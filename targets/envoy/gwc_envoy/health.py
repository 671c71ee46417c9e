"""Active health checks."""

from __future__ import annotations

from gwc.ir import Upstream
from gwc_envoy.xds import Json, duration

_PATIENCE = 2.0
"""Seconds for an answer to a check, if the checks are not closer together."""


def cluster_fields(upstream: Upstream) -> Json:
    """An endpoint that says it is not ready is out of use at once (Envoy's threshold counts checks without an answer
    alone), one that does not answer after two checks; one good check brings it back. Idle services are checked alike.
    """
    if upstream.health is None:
        return {}
    every = duration(upstream.health.every)
    check = {
        "timeout": duration(min(upstream.health.every, _PATIENCE)),
        "interval": every,
        "no_traffic_interval": every,
        "unhealthy_threshold": 2,
        "healthy_threshold": 1,
        "http_health_check": {"path": upstream.health.path},
    }
    return {"health_checks": [check]}
