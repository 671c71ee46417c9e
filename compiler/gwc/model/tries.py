"""Towards one service: tries and their bounds, pauses between them, and the breaker."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from gwc.ir import Retries, RetryCause, Route, Upstream
from gwc.model.wire import Arrived, Said, Script

SAFE = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})


@dataclass(frozen=True, slots=True)
class Tried:
    """How one try, or all of them, ended. `cause` is what a policy of retries calls it; `problem` a failure's type."""

    said: Said | None
    seconds: float
    problem: str = ""
    cause: str = ""
    limited_by: str = ""
    retry_after: float | None = None

    @property
    def failed(self) -> bool:
        """As the breaker counts."""
        return self.said is None or self.said.status >= 500


@dataclass(slots=True)
class Line:
    """The service as one endpoint. Failures in a row open its breaker for a while."""

    upstream: Upstream
    failures: int = 0
    open_until: float = 0.0
    _sent: list[Arrived] = field(default_factory=list)

    def send(
        self, route: Route, arrive: Callable[[float], Arrived], scripts: Sequence[Script], now: float
    ) -> tuple[Tried, list[Arrived]]:
        """All tries of one request, and what the service received. Pauses last half of what jitter allows."""
        self._sent, at, number = [], now, 0
        while True:
            tried = self._once(route, arrive, scripts[min(len(self._sent), len(scripts) - 1)], now, at)
            ended = at + tried.seconds
            pause = _pause(route.retries, number)
            if number >= route.retries.attempts or not _again(route.retries, arrive(at).method, tried):
                return _in_all(tried, ended - now), self._sent
            if ended + pause >= now + route.timeouts.request:
                return Tried(None, route.timeouts.request, "timeout"), self._sent
            at, number = ended + pause, number + 1

    def _once(
        self, route: Route, arrive: Callable[[float], Arrived], script: Script, begun: float, now: float
    ) -> Tried:
        if now < self.open_until:
            return Tried(None, 0.0, "circuit-open", "", "breaker", self.open_until - now)
        if script.fail in ("refused", "unreachable"):
            tried = _unconnected(route, script)
        else:
            arrived = arrive(now)
            self._sent.append(arrived)
            tried = _answered(route, script, arrived, begun + route.timeouts.request - now)
        self._count(tried, now + tried.seconds)
        return tried

    def _count(self, tried: Tried, now: float) -> None:
        breaker = self.upstream.breaker
        if breaker is None:
            return
        self.failures = self.failures + 1 if tried.failed else 0
        if self.failures >= breaker.failures:
            self.failures, self.open_until = 0, now + breaker.open


def _in_all(tried: Tried, seconds: float) -> Tried:
    return Tried(tried.said, seconds, tried.problem, tried.cause, tried.limited_by, tried.retry_after)


def _unconnected(route: Route, script: Script) -> Tried:
    """Nobody listens, or nobody answers the call."""
    if script.fail == "refused":
        return Tried(None, 0.0, "bad-gateway", RetryCause.CONNECT)
    return Tried(None, route.timeouts.connect, "timeout", RetryCause.CONNECT)


def _answered(route: Route, script: Script, arrived: Arrived, left: float) -> Tried:
    """One try that reached the service; `left` seconds until the request's own bound."""
    first = float("inf") if script.fail == "hang" else script.delay
    per_try = route.retries.per_try if route.retries.attempts else None
    if per_try is not None and first > per_try and per_try <= min(left, route.timeouts.idle):
        return Tried(None, per_try, "timeout", "per_try")
    if first > min(left, route.timeouts.idle):
        return Tried(None, min(left, route.timeouts.idle), "timeout")
    if script.fail == "reset":
        return Tried(None, first, "bad-gateway", RetryCause.RESET)
    said, seconds = _said(route, script, arrived, left)
    return Tried(said, seconds, cause=str(script.status) if script.status >= 500 else "")


def _said(route: Route, script: Script, arrived: Arrived, left: float) -> tuple[Said, float]:
    """An answer that has begun is cut by a silence, and by the request's bound where that is on all of it."""
    body = script.body if isinstance(script.body, bytes) else script.body(arrived)
    whole = max(script.whole, script.delay)
    ends = [whole]
    if script.silence > route.timeouts.idle:
        ends.append(script.delay + route.timeouts.idle)
    if not (route.stream or route.websocket):
        ends.append(left)
    cut = script.fail == "cut" or min(ends) < whole
    return Said(script.status, script.headers, body, cut), min(ends)


def _again(retries: Retries, method: str, tried: Tried) -> bool:
    if tried.cause == RetryCause.CONNECT:
        return RetryCause.CONNECT in retries.causes
    if method not in SAFE and not retries.unsafe:
        return False
    if tried.cause == "per_try":
        return True
    return tried.cause in retries.causes or tried.cause in {str(status) for status in retries.statuses}


def _pause(retries: Retries, number: int) -> float:
    return min(retries.backoff_max, retries.backoff_base * 2.0 ** min(number, 30)) / 2
