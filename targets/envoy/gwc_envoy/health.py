"""Active health checks."""

from __future__ import annotations

from gwc.ir import Upstream
from gwc_envoy.shared import shared
from gwc_envoy.xds import Json, duration

_PATIENCE = 2.0
"""Seconds for an answer to a check, if the checks are not closer together."""


def cluster_fields(upstream: Upstream) -> Json:
    """An endpoint that says it is not ready is out of use at once (Envoy's threshold counts checks without an answer
    alone), one that does not answer after two checks; one good check brings it back. Idle services are checked alike.
    """
    if upstream.health is None:
        return {}
    return {"health_checks": [_check(upstream.health.path, upstream.health.every)]}


@shared
def _check(path: str, every: float) -> Json:
    return {
        "timeout": duration(min(every, _PATIENCE)),
        "interval": duration(every),
        "no_traffic_interval": duration(every),
        "unhealthy_threshold": 2,
        "healthy_threshold": 1,
        "http_health_check": {"path": path},
    }
