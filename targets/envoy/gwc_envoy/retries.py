"""Retry policies. Safe methods may be tried again for every listed cause, the others only when nothing was sent."""

from __future__ import annotations

from gwc.ir import Retries, RetryCause, Route
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


def single_try(route: Route) -> Json:
    """The action behind a hop: no retries, and the bound of one try."""
    return _policy(_try_bound(route, behind_hop=True))


def by_cause(route: Route) -> Json:
    """The action before a hop: each failure is told apart by the header that the hop has put on its answer."""
    causes = [CONNECT, CONNECT_TIMEOUT] if RetryCause.CONNECT in route.retries.causes else []
    causes += [RESET] if RetryCause.RESET in route.retries.causes else []
    causes += [TIMEOUT] if route.retries.per_try is not None else []
    headers = [{"name": CAUSE_HEADER, "string_match": {"exact": cause}} for cause in causes]
    conditions = ["retriable-headers", *(["retriable-status-codes"] if route.retries.statuses else [])]
    return _policy(_tries(route.retries, conditions), {"retriable_headers": headers}, _statuses(route.retries))


def action_fields(route: Route, methods: tuple[str, ...]) -> Json:
    """The retry policy of one group of methods. `reset` also stands for a try that timed out."""
    if route.retries.attempts == 0:
        return _policy(_try_bound(route, behind_hop=route.stream))
    everything = _everything(route, methods)
    causes = _causes(route.retries, everything)
    bound = _try_bound(route, behind_hop=route.stream and "reset" not in causes)
    return _policy(bound, _tries(route.retries, causes), _statuses(route.retries) if everything else {})


def _policy(*parts: Json) -> Json:
    policy = {name: value for part in parts for name, value in part.items()}
    return {"retry_policy": policy} if policy else {}


def _statuses(retries: Retries) -> Json:
    return {"retriable_status_codes": list(retries.statuses)} if retries.statuses else {}


def _try_bound(route: Route, behind_hop: bool) -> Json:
    """Behind a hop no try outlasts the request: it ends here, where the breaker counts it."""
    bounds = [route.timeouts.request] if behind_hop else []
    bounds += [route.retries.per_try] if route.retries.attempts and route.retries.per_try is not None else []
    return {"num_retries": 0, "per_try_timeout": duration(min(bounds))} if bounds else {}


def _tries(retries: Retries, causes: list[str]) -> Json:
    if not causes:
        return {}
    backoff = {"base_interval": duration(retries.backoff_base), "max_interval": duration(retries.backoff_max)}
    return {**_ELSEWHERE, "retry_on": ",".join(causes), "num_retries": retries.attempts, "retry_back_off": backoff}


def _causes(retries: Retries, everything: bool) -> list[str]:
    causes = ["connect-failure"] if RetryCause.CONNECT in retries.causes else []
    if everything and RetryCause.RESET in retries.causes:
        causes.append("reset")
    if everything and retries.statuses:
        causes.append("retriable-status-codes")
    return causes
