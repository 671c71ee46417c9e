"""Rows of kong.yml that differ in words alone, such as names: printed and judged once, and then filled in.

What a row follows from is named here in full. The text with holes (`gwc.holes`) is made from a service that has these
values and nothing else, so that a question to which there is no answer here ends a test, and is not answered by the
service that came first. Rows of which more is to be said are told the long way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import fields, replace
from operator import attrgetter
from typing import Any, NamedTuple, TypeVar

from gwc.holes import Number, Sheet, Word, bare, platform, settled
from gwc.ir import (
    Address,
    Auth,
    Breaker,
    Cache,
    Endpoint,
    Gateway,
    HeaderChanges,
    Headers,
    Health,
    Limit,
    LimitKey,
    Node,
    Retries,
    Route,
    Service,
    Timeouts,
    Upstream,
)
from gwc.parts import Made
from gwc.routing import MethodRoute, PathEntry
from gwc.units import Rate
from gwc_kong.accepting import route_accepted, service_accepted
from gwc_kong.plugin import ServiceConfig, path_config
from gwc_kong.routing import Ranked
from gwc_kong.services import Row, kong_route, kong_service
from gwc_kong.yaml_text import escaped, items, scalar

Print = Callable[[Iterable[tuple[str, object]]], Made]
_PATHS, _SERVICES, _REFUSALS = (Sheet(escaped, measured=False) for _ in range(3))
_PORT, _COUNT, _SECONDS = (1, 65535), (1, 2**45), (0.001, 1e9)


_N = TypeVar("_N", bound=Node)
_NOWHERE: dict[str, Any] = {}


def _number(value: float, bounds: tuple[float, float]) -> Number:
    return Number(scalar(value), *bounds)


class _LimitFacts(NamedTuple):
    """All of a limit but its words."""

    key: LimitKey
    header: str | None
    period: int
    burst: int
    shadow: bool
    cluster: bool


class _Above(NamedTuple):
    """All that a service says, but for words: the weights of its endpoints, and what guards it."""

    weights: tuple[tuple[str, int], ...]
    concurrency: int | None
    breaker: Breaker | None
    health: Health | None
    limits: tuple[_LimitFacts, ...]


class _Facts(NamedTuple):
    """All that a route says, but for words. `cached` is all of a cache but how long answers are fresh."""

    limits: tuple[_LimitFacts, ...]
    cached: tuple[object, ...] | None
    request: _ChangeFacts
    response: _ChangeFacts
    auth: Auth | None
    timeouts: Timeouts
    retries: Retries
    methods: tuple[str, ...]
    max_body: int


class _ChangeFacts(NamedTuple):
    """Of headers: the names of those that are set, and of those that are removed."""

    set: tuple[str, ...]
    remove: tuple[str, ...]


class _Path:
    """Ranks of a path that has one route and no host."""

    def __init__(self, entry: PathEntry, pattern: str, rows: Sequence[int]) -> None:
        self.host, self.entry, self.pattern, self._rows = None, entry, pattern, rows

    def row(self, index: int) -> int:
        return self._rows[index]

    @property
    def refusal(self) -> int:
        return self._rows[-1]


class Likeness:
    """Of the paths that one service alone has routes of: their rows in the plugin's configuration."""

    def __init__(self, gateway: Gateway, service: Service, printed: Print) -> None:
        self._gateway, self._service, self._print = gateway, service, printed
        upstream = service.upstream
        self._plain = service.budget is None and upstream.tls is None and _within(service.limits)
        weights = tuple([(one.scheme, one.weight) for one in upstream.endpoints])
        guards = upstream.concurrency, upstream.breaker, upstream.health
        self._above = _Above(weights, *guards, _limit_facts(service.limits))
        self._key = (platform(gateway), weights, upstream.concurrency, *map(settled, guards[1:]), self._above.limits)
        self._words = (service.name, service.strip, *_endpoint_words(upstream), *_limit_words(service.limits))
        self._config: ServiceConfig | None = None

    def rows(self, path: Ranked) -> Made:
        route = path.entry.routes[0].route
        if not (self._plain and len(path.entry.routes) == 1 and path.host is None and _is_plain(route)):
            return self._plainly(path)
        facts = _facts(route)
        words = (*self._words, route.name, path.pattern, _number(path.row(0), _COUNT), _number(path.refusal, _COUNT))
        words += tuple(_route_words(route))
        key = (*self._key, *facts[:4], *map(settled, facts[4:7]), *facts[7:])
        return _PATHS.text(key, words, lambda others: self._standing(facts, others), lambda: self._plainly(path))

    def _plainly(self, path: Ranked) -> Made:
        if self._config is None:
            self._config = ServiceConfig(self._gateway, self._service, "plugin")
        config = self._config
        return self._print(path_config(path, lambda _: config))

    def _standing(self, facts: _Facts, words: Sequence[Any]) -> Made:
        found = iter(words)
        service = _service(self._above, found)
        path = _path(service, facts, found)
        assert next(found, None) is None
        config = ServiceConfig(replace(self._gateway, services=(service,)), service, "plugin")
        return self._print(path_config(path, lambda _: config))


def service_row(service: Service, route: Route, rows: Sequence[Row]) -> Made:
    """Kong's service of a route, with its rows."""

    def printed(one: Service, other: Route, found: Sequence[Row]) -> Made:
        entity = kong_service(one, other, found)
        return Made(items([entity], "  "), service_accepted(entity))

    def standing(words: Sequence[Any]) -> Made:
        name, route_name, port, *row = words
        endpoint = _node(Endpoint, address=_node(Address, port=port))
        one = _node(Service, name=name, upstream=_node(Upstream, endpoints=(endpoint,), tls=None))
        other = _node(Route, name=route_name, timeouts=route.timeouts, retries=route.retries)
        return printed(one, other, [tuple(row)])

    if service.upstream.tls is not None or len(rows) != 1:
        return printed(service, route, rows)
    first = _number(service.upstream.endpoints[0].address.port, _PORT)
    words = (service.name, route.name, first, *_row_words(rows[0]))
    key = settled(route.timeouts), settled(route.retries)
    return _SERVICES.text(key, words, standing, lambda: printed(service, route, rows))


def refusal_row(row: Row) -> Made:
    def printed(words: Row) -> Made:
        entity = kong_route(*words)
        return Made(items([entity], "  "), route_accepted(entity))

    return _REFUSALS.text(None, _row_words(row), lambda words: printed(tuple(words)), lambda: printed(row))


def _row_words(row: Row) -> tuple[Word, ...]:
    name, expression, priority = row
    return name, expression, _number(priority, _COUNT)


def _is_plain(route: Route) -> bool:
    more = route.cors is not None or route.stream or route.websocket
    fresh = route.cache is None or _SECONDS[0] <= route.cache.ttl <= _SECONDS[1]
    return not more and fresh and _within(route.limits)


def _within(limits: Iterable[Limit]) -> bool:
    return all(_COUNT[0] <= limit.rate.tokens <= _COUNT[1] for limit in limits)


def _endpoint_words(upstream: Upstream) -> Iterator[Word]:
    """Two of each."""
    for one in upstream.endpoints:
        yield one.address.host
        yield _number(one.address.port, _PORT)


def _limit_words(limits: Iterable[Limit]) -> Iterator[Word]:
    """Two of each."""
    for limit in limits:
        yield limit.id
        yield _number(limit.rate.tokens, _COUNT)


def _route_words(route: Route) -> Iterator[Word]:
    yield from _limit_words(route.limits)
    for _, value in (*route.headers.request.set, *route.headers.response.set):
        yield value
    if route.cache is not None:
        yield _number(route.cache.ttl, _SECONDS)


def _limit_facts(limits: Iterable[Limit]) -> tuple[_LimitFacts, ...]:
    return tuple([
        _LimitFacts(one.key, one.header, one.rate.period, one.burst, one.shadow, one.cluster) for one in limits
    ])  # fmt: skip


def _facts(route: Route) -> _Facts:
    cached = None if route.cache is None else _CACHED(route.cache)
    changes = _change_facts(route.headers.request), _change_facts(route.headers.response)
    return _Facts(_limit_facts(route.limits) if route.limits else (), cached, *changes, *_SECTIONS(route))


def _change_facts(changes: HeaderChanges) -> _ChangeFacts:
    return _ChangeFacts(tuple([name for name, _ in changes.set]), changes.remove)


_SECTIONS = attrgetter("auth", "timeouts", "retries", "methods", "max_body")
_CACHE_FACTS = tuple(one.name for one in fields(Cache) if one.name not in ("ttl", "provenance"))
_CACHED = attrgetter(*_CACHE_FACTS)


def _node(kind: type[_N], **values: object) -> _N:
    """Nobody knows where it was written."""
    return bare(kind, provenance=_NOWHERE, **values)


def _service(above: _Above, words: Iterator[Any]) -> Service:
    name, strip = next(words), next(words)
    endpoints = tuple([
        _node(Endpoint, scheme=scheme, weight=weight, address=_node(Address, host=next(words), port=next(words)))
        for scheme, weight in above.weights
    ])  # fmt: skip
    guards = {"concurrency": above.concurrency, "breaker": above.breaker, "health": above.health}
    upstream = _node(Upstream, endpoints=endpoints, tls=None, **guards)
    return _node(Service, name=name, strip=strip, upstream=upstream, limits=_limits(above.limits, words), budget=None)


def _path(service: Service, facts: _Facts, words: Iterator[Any]) -> _Path:
    name, pattern, rows = next(words), next(words), (next(words), next(words))
    route = _node(
        Route,
        name=name,
        limits=_limits(facts.limits, words),
        headers=_node(Headers, request=_changes(facts.request, words), response=_changes(facts.response, words)),
        cache=None if facts.cached is None else _cache(facts.cached, words),
        **dict.fromkeys(("stream", "websocket"), False),
        cors=None,
        **{one: getattr(facts, one) for one in ("auth", "timeouts", "retries", "methods", "max_body")},
    )
    return _Path(bare(PathEntry, routes=(MethodRoute(service, route),)), pattern, rows)


def _limits(facts: Iterable[_LimitFacts], words: Iterator[Any]) -> tuple[Limit, ...]:
    return tuple([
        _node(
            Limit,
            id=next(words), rate=bare(Rate, tokens=next(words), period=one.period),
            **{name: getattr(one, name) for name in ("key", "header", "burst", "shadow", "cluster")},
        )
        for one in facts
    ])  # fmt: skip


def _changes(facts: _ChangeFacts, words: Iterator[Any]) -> HeaderChanges:
    return _node(HeaderChanges, set=tuple([(name, next(words)) for name in facts.set]), remove=facts.remove)


def _cache(facts: Sequence[object], words: Iterator[Any]) -> Cache:
    return _node(Cache, ttl=next(words), **dict(zip(_CACHE_FACTS, facts, strict=True)))
