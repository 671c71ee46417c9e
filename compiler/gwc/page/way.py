"""A request's way through its checks: what each one asks for here, and how it refuses."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gwc.ir import Gateway, Limit, LimitKey, Route, Service
from gwc.page.effective import auth_text, effective_limits, request_bound
from gwc.problems import PROBLEMS
from gwc.units import format_duration, format_rate, format_size

MOST_LINES = 3
"""That fit into a box; the table beside the picture has all of them."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One check. `lines` say what it asks for; none: it lets everything pass. `refusals` are types of problems."""

    name: str
    title: str
    lines: tuple[str, ...]
    refusals: tuple[str, ...]

    @property
    def statuses(self) -> str:
        return " ".join(dict.fromkeys(str(PROBLEMS[name].status) for name in self.refusals))


def way(gateway: Gateway, service: Service, route: Route) -> tuple[Stage, ...]:
    """The checks of one route, in the order in which a request meets them."""
    limits = tuple(effective_limits(gateway, service, route))
    return (
        _match(route),
        _limits("ip", "Per address", [limit for limit in limits if limit.key is LimitKey.IP]),
        _auth(route),
        _limits("limits", "Limits", [limit for limit in limits if limit.key is not LimitKey.IP]),
        _cache(route),
        _budget(service, route),
        Stage("body", "Body size", (f"at most {format_size(route.max_body)}",), ("payload-too-large",)),
        _upstream(gateway, service),
        _service(service, route),
    )


def in_words(stages: Sequence[Stage]) -> str:
    """The whole picture as a sentence a check, for those who do not see it."""
    return " ".join(f"{number}. {_sentence(stage)}" for number, stage in enumerate(stages, 1))


def _sentence(stage: Stage) -> str:
    asks = "; ".join(stage.lines) or "nothing is checked"
    return f"{stage.title}: {asks}." + (f" Refuses with {stage.statuses}." if stage.statuses else "")


def _stage(name: str, title: str, lines: Iterable[str], refusals: tuple[str, ...]) -> Stage:
    """A check that asks for nothing refuses nobody."""
    found = tuple(line for line in lines if line)
    shown = found if len(found) <= MOST_LINES else (*found[: MOST_LINES - 1], f"and {len(found) - MOST_LINES + 1} more")
    return Stage(name, title, shown, refusals if found else ())


def _match(route: Route) -> Stage:
    lines = ["host, path, method", *(["answers preflights"] if route.cors is not None else [])]
    return _stage("match", "Match", lines, ("bad-request", "not-found", "method-not-allowed"))


def _limits(name: str, title: str, limits: Sequence[Limit]) -> Stage:
    refusing = ("rate-limited",) if any(not limit.shadow for limit in limits) else ()
    return _stage(name, title, (_limit_line(limit) for limit in limits), refusing)


def _limit_line(limit: Limit) -> str:
    key = "" if limit.key is LimitKey.IP else f" {limit.header or limit.key.value}"
    return f"{format_rate(limit.rate)}{key}" + (", shadow" if limit.shadow else "")


def _auth(route: Route) -> Stage:
    if route.auth is None:
        return _stage("auth", "Credentials", (), ())
    scopes = (f"scope {scope}" for scope in route.auth.scopes)
    return _stage("auth", "Credentials", (auth_text(route.auth), *scopes), ("unauthorized", "forbidden"))


def _cache(route: Route) -> Stage:
    if route.cache is None:
        return _stage("cache", "Cache", (), ())
    whose = "for each user" if route.cache.per_user else "for everybody"
    stale = "stale if it fails" if route.cache.stale_if_error else ""
    return _stage("cache", "Cache", (f"kept {format_duration(route.cache.ttl)}", whose, stale), ())


def _budget(service: Service, route: Route) -> Stage:
    if service.budget is None or route.auth is None:
        return _stage("budget", "Budget", (), ())
    lines = (f"costs {route.cost}", f"of {format_rate(service.budget.units)}", "per user")
    return _stage("budget", "Budget", lines, ("budget-exhausted",))


def _upstream(gateway: Gateway, service: Service) -> Stage:
    upstream, lines, refusals = service.upstream, [], []
    if gateway.concurrency is not None:
        lines.append(f"{gateway.concurrency} in flight in all")
    if upstream.concurrency is not None:
        lines.append(f"{upstream.concurrency} in flight")
    if lines:
        refusals.append("overloaded")
    if upstream.breaker is not None:
        lines.append(f"breaker: {upstream.breaker.failures} failures")
        refusals.append("circuit-open")
    return _stage("upstream", "Overload", lines, tuple(refusals))


def _service(service: Service, route: Route) -> Stage:
    tries = f"{route.retries.attempts + 1} tries" if route.retries.attempts else "one try"
    within = "" if route.websocket else "within "
    lines = (service.name, tries, within + request_bound(route))
    return _stage("service", "Service", lines, ("bad-gateway", "timeout"))
