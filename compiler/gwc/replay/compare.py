"""The same traffic through the old and the new policies, and what becomes different."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from gwc.ir import Gateway
from gwc.model import Model, Outcome
from gwc.replay.formats import Entry

MINUTE = 60
MOST_NAMED = 100_000
"""Distinct clients and users that are told apart; those beyond are not counted."""
Effect = str
REFUSED, ADMITTED, CACHED, UNCACHED, TIMED_OUT, ANSWERED = (
    "newly refused", "newly admitted", "newly cached", "no longer cached", "newly timed out", "no longer timed out",
)  # fmt: skip


@dataclass(slots=True)
class Seen:
    """Who is concerned by one effect. Users and clients are kept as hashes, with a key of this run."""

    requests: int = 0
    why: Counter[str] = field(default_factory=Counter)
    routes: Counter[str] = field(default_factory=Counter)
    minutes: Counter[int] = field(default_factory=Counter)
    users: Counter[str] = field(default_factory=Counter)
    clients: Counter[str] = field(default_factory=Counter)

    @property
    def worst(self) -> tuple[int, int]:
        """The minute, in seconds since 1970, with the most of them, and how many."""
        return max(self.minutes.items(), key=lambda pair: (pair[1], -pair[0]), default=(0, 0))


@dataclass(slots=True)
class Result:
    """`totals` of outcomes under the old and the new policies, by minute and in all; `effects` what differs."""

    requests: int = 0
    old: Counter[str] = field(default_factory=Counter)
    new: Counter[str] = field(default_factory=Counter)
    effects: dict[Effect, Seen] = field(default_factory=dict)
    minutes: Counter[int] = field(default_factory=Counter)


class Replay:
    """Runs entries through two models. `named` keeps users and clients readable instead of hashed."""

    def __init__(self, old: Gateway, new: Gateway, *, named: bool = False) -> None:
        self._old, self._new = Model(old), Model(new)
        self._named, self._key = named, os.urandom(16)
        self.result = Result()

    def run(self, entries: Iterable[Entry]) -> Result:
        ask_old, ask_new, result = self._old.ask, self._new.ask, self.result
        for entry in entries:
            self._forget_usual_cost(entry)
            before = ask_old(entry.request, entry.answer)
            after = ask_new(entry.request, entry.answer)
            result.requests += 1
            was, now = kind(before), kind(after)
            result.old[was] += 1
            result.new[now] += 1
            result.minutes[int(entry.request.time // MINUTE) * MINUTE] += 1
            if was != now or before.cache != after.cache:
                self._differs(entry, before, after)
        return result

    def _forget_usual_cost(self, entry: Entry) -> None:
        """A cost that was the route's own is no report of the service: under the new policies it is the new one."""
        if entry.answer.cost is not None:
            request = entry.request
            found = self._old.matcher.match(request.method, request.host, request.path).route
            if found is not None and found.route.cost == entry.answer.cost:
                entry.answer.cost = None

    def _differs(self, entry: Entry, before: Outcome, after: Outcome) -> None:
        for effect in effects(before, after):
            seen = self.result.effects.setdefault(effect, Seen())
            told = after if after.refused or not before.refused else before
            seen.requests += 1
            seen.why[told.limited_by or told.problem or told.cache] += 1
            seen.routes[f"{told.service}/{told.route}" if told.route else "no route"] += 1
            seen.minutes[int(entry.request.time // MINUTE) * MINUTE] += 1
            self._count(seen.users, entry.request.user)
            self._count(seen.clients, entry.request.client_ip)

    def _count(self, counter: Counter[str], name: str) -> None:
        if not name:
            return
        text = name.encode(errors="replace")  # JSON can spell what is no character
        shown = text.decode() if self._named else hashlib.blake2s(text, key=self._key, digest_size=6).hexdigest()
        if shown in counter or len(counter) < MOST_NAMED:
            counter[shown] += 1


def kind(outcome: Outcome) -> str:
    """How a request ended, in a word."""
    if outcome.problem == "timeout":
        return "timed out"
    if outcome.refused:
        return f"refused {outcome.status}"
    return "cached" if outcome.cache in ("HIT", "STALE") else "served"


def effects(before: Outcome, after: Outcome) -> list[Effect]:
    was, now = kind(before), kind(after)
    changed = (
        (REFUSED, now.startswith("refused") and not was.startswith("refused")),
        (ADMITTED, was.startswith("refused") and not now.startswith("refused")),
        (CACHED, now == "cached" != was),
        (UNCACHED, was == "cached" and now == "served"),
        (TIMED_OUT, now == "timed out" != was),
        (ANSWERED, was == "timed out" and now in ("served", "cached")),
    )
    return [effect for effect, holds in changed if holds]
