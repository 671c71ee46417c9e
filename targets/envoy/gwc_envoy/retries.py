"""Retry policies. Safe methods may be tried again for every listed cause, the others only when nothing was sent."""

from __future__ import annotations

from gwc.ir import Retries, RetryCause, Route
from gwc_envoy.xds import Json, duration, extension

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})

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


def action_fields(route: Route, methods: tuple[str, ...]) -> Json:
    """The retry policy of one group of methods; also the bound of a stream's first byte, which needs one."""
    everything = route.retries.unsafe or SAFE_METHODS.issuperset(methods)
    policy = _policy(route.retries, everything) if route.retries.attempts else {}
    if route.stream:
        bounds = (route.timeouts.request, route.retries.per_try if route.retries.attempts else None)
        policy["per_try_timeout"] = duration(min(bound for bound in bounds if bound is not None))
    if policy:
        policy.setdefault("num_retries", 0)
    return {"retry_policy": policy} if policy else {}


def _policy(retries: Retries, everything: bool) -> Json:
    bound = {} if retries.per_try is None else {"per_try_timeout": duration(retries.per_try)}
    causes = _causes(retries, everything)
    if not causes:
        return bound
    statuses = {"retriable_status_codes": list(retries.statuses)} if everything and retries.statuses else {}
    tries = {"retry_on": ",".join(causes), "num_retries": retries.attempts, "retry_back_off": _backoff(retries)}
    return {**_ELSEWHERE, **tries, **statuses, **bound}


def _backoff(retries: Retries) -> Json:
    return {"base_interval": duration(retries.backoff_base), "max_interval": duration(retries.backoff_max)}


def _causes(retries: Retries, everything: bool) -> list[str]:
    """Envoy counts a try that timed out as a reset."""
    causes = ["connect-failure"] if RetryCause.CONNECT in retries.causes else []
    if everything and (RetryCause.RESET in retries.causes or retries.per_try is not None):
        causes.append("reset")
    if everything and retries.statuses:
        causes.append("retriable-status-codes")
    return causes
