"""Token buckets and budgets by key, in memory that follows the keys that are in use."""

from __future__ import annotations

from dataclasses import dataclass, field

from gwc.units import Rate

ROUNDING = 1e-5
"""Seconds. Times since 1970 are exact to a quarter of a microsecond, and a bucket adds up as many as its burst."""
SWEEP_EVERY = 100_000
"""Takes between two looks for buckets that are full again, and so as good as new."""


@dataclass(slots=True)
class Buckets:
    """One limit. A bucket is the moment at which it is full again (GCRA): one number a key."""

    rate: Rate
    burst: int
    interval: float = field(init=False)
    room: float = field(init=False)
    _full_at: dict[str, float] = field(default_factory=dict)
    _taken: int = 0

    def __post_init__(self) -> None:
        self.interval = self.rate.period / self.rate.tokens
        self.room = self.interval * self.burst

    def wait(self, key: str, now: float) -> float:
        """Seconds until a token is there; 0 for now."""
        full_at = self._full_at.get(key, 0.0)
        over = (full_at if full_at > now else now) + self.interval - now - self.room
        return over if over > ROUNDING else 0.0

    def take(self, key: str, now: float) -> None:
        full_at = self._full_at.get(key, 0.0)
        self._full_at[key] = (full_at if full_at > now else now) + self.interval
        self._taken += 1
        if self._taken >= SWEEP_EVERY:
            self._taken = 0
            self._full_at = {name: at for name, at in self._full_at.items() if at > now}

    def __len__(self) -> int:
        return len(self._full_at)


@dataclass(slots=True)
class Budgets:
    """Units by user in clock-aligned windows."""

    units: Rate
    _window: int = -1
    _spent: dict[str, int] = field(default_factory=dict)

    def wait(self, user: str, cost: int, now: float) -> float:
        """Seconds until the next window, if `cost` is not there in this one; otherwise 0."""
        self._turn(now)
        if self._spent.get(user, 0) + cost <= self.units.tokens or cost == 0:
            return 0.0
        return (self._window + 1) * self.units.period - now

    def take(self, user: str, cost: int, now: float) -> None:
        self._turn(now)
        self._spent[user] = max(self._spent.get(user, 0) + cost, 0)

    def _turn(self, now: float) -> None:
        window = int(now // self.units.period)
        if window > self._window:
            self._window, self._spent = window, {}
