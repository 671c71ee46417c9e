"""Entries of paths that differ in words alone, such as names: printed once, and then filled in (`gwc.holes`).

What the entries of a path follow from is named here in full. The text with holes is made from a service that has these
values and nothing else, so that a question to which there is no answer here ends a test, and is not answered by the
service that came first. Paths of which more is to be said are told the long way.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from json.encoder import encode_basestring_ascii as _quoted
from operator import attrgetter
from typing import Any, NamedTuple

from gwc.holes import Sheet, bare, platform, settled
from gwc.ir import Auth, Cache, Gateway, HeaderChanges, Headers, Limit, LimitKey, Retries, Route, Service, Timeouts
from gwc.routing import MethodRoute, PathEntry
from gwc.units import Rate
from gwc_envoy.faults import Judge
from gwc_envoy.upstream import cluster_name
from gwc_envoy.xds import Json, pattern

Entries = Callable[[Gateway, PathEntry, Json, str], Iterable[Json]]
"""What a path comes to: with how it is matched, and what switches idle filters off."""


class Alike:
    """Neighbouring entries, made `plainly`. `make(words)` are those of other words; `key` is all else that they follow
    from."""

    __slots__ = ("key", "make", "plainly", "words")

    def __init__(
        self,
        key: Hashable,
        words: Sequence[str],
        make: Callable[[Sequence[str]], Iterable[Json]],
        plainly: Callable[[], Iterable[Json]],
    ) -> None:
        self.key, self.words, self.make, self.plainly = key, words, make, plainly


@lru_cache(maxsize=16)
def sheet(_judge: Judge, _pad: str) -> Sheet:
    """Of all that is judged alike and stands at one indent."""
    return Sheet(lambda word: _quoted(word)[1:-1])


class _LimitFacts(NamedTuple):
    """All of a limit but its words."""

    key: LimitKey
    header: str | None
    period: int
    burst: int
    shadow: bool


class _Facts(NamedTuple):
    """All that the entries of a path follow from, but for words and the platform. `differ`: whether routes of the
    service have clusters of their own; `stale` is of the cache."""

    kind: str
    above: tuple[_LimitFacts, ...]
    own: tuple[_LimitFacts, ...]
    differ: bool
    stale: bool | None
    auth: Auth | None
    timeouts: Timeouts
    retries: Retries
    request: HeaderChanges
    response: HeaderChanges
    methods: tuple[str, ...]
    cost: int
    max_body: int


class Likeness:
    """Of the paths that one service alone has routes of."""

    def __init__(self, entries: Entries, gateway: Gateway, service: Service, idle: str) -> None:
        self._entries, self._gateway, self._service, self._idle = entries, gateway, service, idle
        self._plain = service.budget is None and _are_names(service.name) and _counted_alone(service.limits)
        self._above = tuple(map(_limit_facts, service.limits))
        self._key = platform(gateway), idle, self._above
        self._words = (service.name, service.owner, pattern(service.strip), *_limit_words(service.limits))

    def of(self, entry: PathEntry, path: Json) -> Alike | None:
        """None: it has to be told the long way."""
        route = entry.routes[0].route
        if not (self._plain and len(entry.routes) == 1 and _is_plain(route)):
            return None
        ((kind, value),) = path.items()
        text: str = value["regex"] if kind == "safe_regex" else value
        own = tuple(map(_limit_facts, route.limits)) if route.limits else ()
        differ = cluster_name(self._service, route) != self._service.name
        stale = None if route.cache is None else bool(route.cache.stale_if_error)
        facts = (kind, self._above, own, differ, stale, *(sections := _SECTIONS(route)), *(values := _VALUES(route)))
        return Alike(
            (*self._key, kind, own, differ, stale, *map(settled, sections), values),
            (*self._words, route.name, text, *_limit_words(route.limits)),
            partial(self._standing, facts),
            partial(self._entries, self._gateway, entry, path, self._idle),
        )

    def _standing(self, facts: tuple[Any, ...], words: Sequence[str]) -> Iterable[Json]:
        service, route, path = _standing(_Facts(*facts), words)
        gateway = replace(self._gateway, services=(service,))
        return self._entries(gateway, bare(PathEntry, routes=(MethodRoute(service, route),)), path, self._idle)


_SECTIONS = attrgetter("auth", "timeouts", "retries", "headers.request", "headers.response")
_VALUES = attrgetter("methods", "cost", "max_body")
_are_names = re.compile(r"[a-z0-9/_.-]*\Z").match
"""Words that are the same wherever they stand."""


def _is_plain(route: Route) -> bool:
    more = route.cors is not None or route.stream or route.websocket
    return not more and _are_names(route.name) is not None and _counted_alone(route.limits)


def _counted_alone(limits: Iterable[Limit]) -> bool:
    """By this gateway, and not by what several of them ask: there a number of tokens is a name."""
    return all(not limit.cluster and _are_names(limit.id) for limit in limits)


def _limit_facts(limit: Limit) -> _LimitFacts:
    return _LimitFacts(limit.key, limit.header, limit.rate.period, limit.burst, limit.shadow)


def _limit_words(limits: Iterable[Limit]) -> Iterator[str]:
    """Two of each."""
    for limit in limits:
        yield limit.id
        yield str(limit.rate.tokens)


def _standing(facts: _Facts, words: Sequence[str]) -> tuple[Service, Route, Json]:
    """A service, its route and how that is matched, which are all that is told here and nothing else."""
    name, owner, strip, *rest = words
    above, (route_name, text, *own) = rest[: 2 * len(facts.above)], rest[2 * len(facts.above) :]
    route = bare(
        Route,
        name=route_name,
        limits=_limits(facts.own, own),
        headers=bare(Headers, request=facts.request, response=facts.response),
        cache=None if facts.stale is None else bare(Cache, stale_if_error=facts.stale),
        **dict.fromkeys(("cors", "stream", "websocket")),
        **{one: getattr(facts, one) for one in ("auth", "timeouts", "retries", "methods", "cost", "max_body")},
    )
    connect = facts.timeouts.connect + facts.differ
    other = bare(Route, timeouts=bare(Timeouts, connect=connect), retries=facts.retries)
    above_all = {"name": name, "owner": owner, "strip": strip, "limits": _limits(facts.above, above), "budget": None}
    path = {"regex": text} if facts.kind == "safe_regex" else text
    return bare(Service, **above_all, routes=(route, other)), route, {facts.kind: path}


def _limits(facts: Sequence[_LimitFacts], words: Sequence[str]) -> tuple[Limit, ...]:
    named = zip(facts, words[::2], words[1::2], strict=True)
    return tuple([_limit(one, name, tokens) for one, name, tokens in named])


def _limit(facts: _LimitFacts, name: str, tokens: str) -> Limit:
    key, header, period, burst, shadow = facts
    rate = bare(Rate, tokens=tokens, period=period)
    return bare(Limit, id=name, key=key, header=header, rate=rate, burst=burst, shadow=shadow, cluster=False)
