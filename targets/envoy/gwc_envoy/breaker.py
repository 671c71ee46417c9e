"""The breaker: an endpoint that keeps failing gets no traffic for a while, the same while each time."""

from __future__ import annotations

import math

from gwc.ir import Gateway, Upstream
from gwc_envoy.shared import shared
from gwc_envoy.xds import Json, duration

_SWEEP = 0.1
"""Seconds between looks at what may return: `open` lasts that much longer at most."""


def cluster_fields(upstream: Upstream) -> Json:
    """Consecutive failures are 5xx, resets, failed connections and timeouts. A single endpoint is ejected too."""
    if upstream.breaker is None:
        return {}
    return {"outlier_detection": _detection(upstream.breaker.failures, upstream.breaker.open)}


@shared
def _detection(failures: int, pause: float) -> Json:
    return {
        "consecutive_5xx": failures,
        "enforcing_consecutive_5xx": 100,
        "enforcing_consecutive_gateway_failure": 0,
        "enforcing_success_rate": 0,
        "interval": duration(_SWEEP),
        "base_ejection_time": duration(pause),
        "max_ejection_time": duration(pause),
        "max_ejection_percent": 100,
    }


def retry_after(upstream: Upstream) -> str | None:
    """Whole seconds after which the breaker has closed, for a service that has one."""
    return None if upstream.breaker is None else str(math.ceil(upstream.breaker.open))


OUT_OF_USE = "gwc.out_of_use"
"""Where a cluster says what an answer says when none of its endpoints is left."""


def metadata(upstream: Upstream) -> Json:
    """On the cluster, for the mappers of answers: their own list of names would outgrow what Envoy takes."""
    if upstream.breaker is None and upstream.health is None:
        return {}
    return {"metadata": _pause(retry_after(upstream) or "")}


@shared
def _pause(pause: str) -> Json:
    return {"filter_metadata": {OUT_OF_USE: {"retry_after": pause}}}


def pauses(gateway: Gateway) -> tuple[str | None, ...]:
    """The Retry-Afters of services whose endpoints may all be out of use; None: health checks alone."""
    guarded = [s.upstream for s in gateway.services if s.upstream.breaker is not None or s.upstream.health is not None]
    return tuple(dict.fromkeys(map(retry_after, guarded)))
