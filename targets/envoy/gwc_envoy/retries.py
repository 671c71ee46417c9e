"""Retry policies. Safe methods may be tried again for every listed cause, the others only when nothing was sent."""

from __future__ import annotations

from typing import NamedTuple

from gwc.ir import RetryCause, Route
from gwc_envoy.shared import shared
from gwc_envoy.xds import Json, duration, extension

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})

CAUSE_HEADER = "x-gwc-cause"
"""Says on a hop's answer why its only try failed: one of these."""
CONNECT, CONNECT_TIMEOUT, RESET, TIMEOUT = "connect", "connect-timeout", "reset", "timeout"

_PREVIOUS = "extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"
_ELSEWHERE: Json = {
    "retry_host_predicate": [extension("envoy.retry_host_predicates.previous_hosts", _PREVIOUS)],
    "host_selection_retry_max_attempts": 10,
}
"""A further try goes to another endpoint, if there is one."""


def method_groups(route: Route) -> tuple[tuple[str, ...], ...]:
    """The route's methods, cut where their retry policies differ."""
    if route.retries.attempts == 0 or route.retries.unsafe:
        return (route.methods,)
    safe = tuple(method for method in route.methods if method in SAFE_METHODS)
    rest = tuple(method for method in route.methods if method not in SAFE_METHODS)
    return tuple(group for group in (safe, rest) if group)


def _everything(route: Route, methods: tuple[str, ...]) -> bool:
    """Whether all causes count for these methods, and not only that nothing was sent."""
    return route.retries.unsafe or SAFE_METHODS.issuperset(methods)


def needs_hop(route: Route, methods: tuple[str, ...]) -> bool:
    """Envoy's cause `reset` stands for resets, failed connections and timed-out tries: all of them, or a hop."""
    if route.retries.attempts == 0 or not _everything(route, methods):
        return False
    reset, connect = (cause in route.retries.causes for cause in (RetryCause.RESET, RetryCause.CONNECT))
    return (reset or route.retries.per_try is not None) and not (reset and connect)


class Tries(NamedTuple):
    """What a policy of retries follows from, for methods of which `everything` counts as a cause or not.

    `request` is the bound of the whole request, in seconds.
    """

    everything: bool
    stream: bool
    request: float
    attempts: int
    causes: tuple[RetryCause, ...]
    statuses: tuple[int, ...]
    per_try: float | None
    backoff_base: float
    backoff_max: float


def tries(route: Route, methods: tuple[str, ...]) -> Tries:
    own = route.retries
    bounds = route.timeouts.request, own.attempts, own.causes, own.statuses, own.per_try
    return Tries(_everything(route, methods), route.stream, *bounds, own.backoff_base, own.backoff_max)


def single_try(tries: Tries) -> Json:
    """The action behind a hop: no retries, and the bound of one try."""
    return _field(_try_bound(tries, behind_hop=True))


def by_cause(tries: Tries) -> Json:
    """The action before a hop: each failure is told apart by the header that the hop has put on its answer."""
    causes = [CONNECT, CONNECT_TIMEOUT] if RetryCause.CONNECT in tries.causes else []
    causes += [RESET] if RetryCause.RESET in tries.causes else []
    causes += [TIMEOUT] if tries.per_try is not None else []
    headers = [{"name": CAUSE_HEADER, "string_match": {"exact": cause}} for cause in causes]
    conditions = ["retriable-headers", *(["retriable-status-codes"] if tries.statuses else [])]
    return _field({**_again(tries, conditions), "retriable_headers": headers, **_statuses(tries)})


def action_fields(tries: Tries) -> Json:
    """The retry policy of one group of methods. `reset` also stands for a try that timed out."""
    return _field(_policy(tries))


@shared
def _policy(tries: Tries) -> Json:
    if tries.attempts == 0:
        return _try_bound(tries, behind_hop=tries.stream)
    causes = _causes(tries, tries.everything)
    bound = _try_bound(tries, behind_hop=tries.stream and "reset" not in causes)
    return {**bound, **_again(tries, causes), **(_statuses(tries) if tries.everything else {})}


def _field(policy: Json) -> Json:
    return {"retry_policy": policy} if policy else {}


def _statuses(tries: Tries) -> Json:
    return {"retriable_status_codes": list(tries.statuses)} if tries.statuses else {}


def _try_bound(tries: Tries, behind_hop: bool) -> Json:
    """Behind a hop no try outlasts the request: it ends here, where the breaker counts it."""
    bounds = [tries.request] if behind_hop else []
    bounds += [tries.per_try] if tries.attempts and tries.per_try is not None else []
    return {"num_retries": 0, "per_try_timeout": duration(min(bounds))} if bounds else {}


def _again(retries: Tries, causes: list[str]) -> Json:
    if not causes:
        return {}
    backoff = {"base_interval": duration(retries.backoff_base), "max_interval": duration(retries.backoff_max)}
    return {**_ELSEWHERE, "retry_on": ",".join(causes), "num_retries": retries.attempts, "retry_back_off": backoff}


def _causes(retries: Tries, everything: bool) -> list[str]:
    causes = ["connect-failure"] if RetryCause.CONNECT in retries.causes else []
    if everything and RetryCause.RESET in retries.causes:
        causes.append("reset")
    if everything and retries.statuses:
        causes.append("retriable-status-codes")
    return causes
