"""A circuit breaker for one event loop, for calls and for streams.

Closed, it watches a sliding window: too many failed calls, or too many slow ones, open it. Open, it rejects everything.
After `open_for` it is half open: exactly `probes` calls are let through and the rest is rejected at once, never queued.
When all probes succeeded it closes, when one failed it opens again.

Timeouts belong inside of what it guards, or they are never counted. A cancelled call says nothing of the backend: it
counts neither way, and gives its probe's place back.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

BreakerState = Literal["closed", "open", "half-open"]
_REMEMBERED = 1000  # outcomes; a window with more calls than this is judged by its latest


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """Seconds and shares. A window with fewer than `min_calls` outcomes is not judged."""

    window: float = 30.0
    min_calls: int = 5
    failure_share: float = 0.5
    slow_after: float = 8.0
    slow_share: float = 0.8
    open_for: float = 10.0
    probes: int = 2


class BreakerOpenError(Exception):
    """Rejected without a call. `retry_after` is in seconds, and never negative."""

    def __init__(self, name: str, retry_after: float) -> None:
        super().__init__(f"the breaker of {name} is open")
        self.name, self.retry_after = name, retry_after


class Permit:
    """One admitted call. The first outcome counts, whatever is said afterwards."""

    __slots__ = ("_breaker", "_generation", "_responded", "_settled", "_started")

    def __init__(self, breaker: Breaker, generation: int, started: float) -> None:
        self._breaker, self._generation, self._started = breaker, generation, started
        self._responded: float | None = None
        self._settled = False

    def responded(self) -> None:
        """The first sign of an answer. A stream is slow by the time to it, and not by its length."""
        if self._responded is None:
            self._responded = self._breaker.now() - self._started

    def succeed(self) -> None:
        self._settle(failed=False)

    def fail(self) -> None:
        self._settle(failed=True)

    def release(self) -> None:
        """Neutral: cancelled, or refused before the backend was asked."""
        if not self._settled:
            self._settled = True
            self._breaker._released(self._generation)

    def _settle(self, *, failed: bool) -> None:
        if not self._settled:
            self._settled = True
            took = self._breaker.now() - self._started if self._responded is None else self._responded
            self._breaker._outcome(self._generation, failed=failed, took=took)


class Breaker:
    """Not thread-safe: one event loop has it. `changed` is told of every new state."""

    def __init__(
        self,
        name: str,
        policy: BreakerPolicy,
        now: Callable[[], float] = time.monotonic,
        changed: Callable[[str, BreakerState], None] = lambda _name, _state: None,
    ) -> None:
        self.name, self.policy, self.now, self._changed = name, policy, now, changed
        self._state: BreakerState = "closed"
        self._generation = 0  # of the state: an outcome of a call from before the last change says nothing of now
        self._outcomes: deque[tuple[float, bool, bool]] = deque(maxlen=_REMEMBERED)
        self._until = 0.0
        self._admitted = self._succeeded = 0

    @property
    def state(self) -> BreakerState:
        """As of the last call: an open breaker is half open only once somebody asks again."""
        return self._state

    def acquire(self) -> Permit:
        """Raises BreakerOpenError. Whoever has a permit settles or releases it."""
        now = self.now()
        if self._state == "open" and now >= self._until:
            self._become("half-open")
        if self._state == "open":
            raise BreakerOpenError(self.name, max(0.0, self._until - now))
        if self._state == "half-open":
            if self._admitted >= self.policy.probes:
                raise BreakerOpenError(self.name, 1.0)
            self._admitted += 1
        return Permit(self, self._generation, now)

    @contextmanager
    def guard(self, failures: tuple[type[Exception], ...] = (Exception,)) -> Iterator[Permit]:
        """Success unless an exception of `failures` leaves the block; other exceptions are neutral, as cancelling is.

        A stream settles its permit itself as soon as its outcome is known.
        """
        permit = self.acquire()
        try:
            yield permit
        except failures:
            permit.fail()
            raise
        except BaseException:
            permit.release()
            raise
        permit.succeed()

    def _outcome(self, generation: int, *, failed: bool, took: float) -> None:
        if generation != self._generation:
            return
        slow = took > self.policy.slow_after
        if self._state == "half-open":
            self._probed(failed or slow)
        else:
            self._outcomes.append((self.now(), failed, slow))
            if self._too_bad():
                self._become("open")

    def _probed(self, bad: bool) -> None:
        if bad:
            return self._become("open")
        self._succeeded += 1
        if self._succeeded >= self.policy.probes:
            self._become("closed")
        return None

    def _released(self, generation: int) -> None:
        if generation == self._generation and self._state == "half-open":
            self._admitted -= 1

    def _too_bad(self) -> bool:
        oldest = self.now() - self.policy.window
        while self._outcomes and self._outcomes[0][0] < oldest:
            self._outcomes.popleft()
        total = len(self._outcomes)
        if total < self.policy.min_calls:
            return False
        failed = sum(outcome[1] for outcome in self._outcomes)
        slow = sum(outcome[2] for outcome in self._outcomes)
        return failed >= self.policy.failure_share * total or slow >= self.policy.slow_share * total

    def _become(self, state: BreakerState) -> None:
        self._state = state
        self._generation += 1
        self._admitted = self._succeeded = 0
        self._outcomes.clear()
        if state == "open":
            self._until = self.now() + self.policy.open_for
        self._changed(self.name, state)
