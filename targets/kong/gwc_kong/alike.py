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
from gwc.units import Rate
from gwc_kong.accepting import service_accepted
from gwc_kong.plugin import ServiceConfig, bracketed
from gwc_kong.services import kong_service
from gwc_kong.yaml_text import escaped, items, scalar

Print = Callable[[str, object], Made]
"""Of the name of a row, and its settings."""
_ROWS, _SERVICES = (Sheet(escaped, measured=False) for _ in range(2))
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


class _Path(NamedTuple):
    """Of a template its text alone."""

    text: str


class Likeness:
    """Of the routes of a service: their rows in the plugin's configuration."""

    def __init__(self, gateway: Gateway, service: Service, printed: Print) -> None:
        self._gateway, self._service, self._print = gateway, service, printed
        upstream = service.upstream
        self._plain = not (service.hosts or service.budget or upstream.tls) and _within(service.limits)
        weights = tuple([(one.scheme, one.weight) for one in upstream.endpoints])
        guards = upstream.concurrency, upstream.breaker, upstream.health
        self._above = _Above(weights, *guards, _limit_facts(service.limits))
        self._key = (platform(gateway), weights, upstream.concurrency, *map(settled, guards[1:]), self._above.limits)
        self._words = (service.name, service.strip, *_endpoint_words(upstream), *_limit_words(service.limits))
        self._config: ServiceConfig | None = None

    def text(self, route: Route) -> Made:
        if not (self._plain and _is_plain(route)):
            return self._plainly(route)
        facts = _facts(route)
        words = (*self._words, route.name, route.path.text, *_route_words(route))
        key = (*self._key, *facts[:4], *map(settled, facts[4:7]), *facts[7:])
        return _ROWS.text(key, words, lambda others: self._standing(facts, others), lambda: self._plainly(route))

    def _plainly(self, route: Route) -> Made:
        if self._config is None:
            self._config = ServiceConfig(self._gateway, self._service, "plugin")
        return self._print(*self._config.row(route))

    def _standing(self, facts: _Facts, words: Sequence[Any]) -> Made:
        found = iter(words)
        service = _service(self._above, found)
        route = _route(facts, found)
        assert next(found, None) is None
        config = ServiceConfig(replace(self._gateway, services=(service,)), service, "plugin")
        return self._print(*config.row(route))


def service_text(service: Service, attempts: int) -> Made:
    """Kong's service of the routes that are tried again so often, with its Kong route."""

    def printed(one: Service) -> Made:
        entity = kong_service(one, attempts)
        return Made(items([entity], "  "), service_accepted(entity))

    def standing(words: Sequence[Any]) -> Made:
        name, port = words
        endpoint = _node(Endpoint, address=_node(Address, port=port))
        return printed(_node(Service, name=name, upstream=_node(Upstream, endpoints=(endpoint,), tls=None)))

    if service.upstream.tls is not None or service.name == "gwc":  # which its tags already say
        return printed(service)
    words = service.name, _number(service.upstream.endpoints[0].address.port, _PORT)
    return _SERVICES.text(attempts, words, standing, lambda: printed(service))


def _is_plain(route: Route) -> bool:
    more = route.cors is not None or route.stream or route.websocket
    fresh = route.cache is None or _SECONDS[0] <= route.cache.ttl <= _SECONDS[1]
    return not more and fresh and _within(route.limits)


def _within(limits: Iterable[Limit]) -> bool:
    return all(_COUNT[0] <= limit.rate.tokens <= _COUNT[1] for limit in limits)


def _endpoint_words(upstream: Upstream) -> Iterator[Word]:
    """Two of each. A host is told as it is printed, for what stands in its place has no colon to be bracketed for."""
    for one in upstream.endpoints:
        yield bracketed(one.address.host)
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
    limits = _limits(above.limits, words)
    return _node(Service, name=name, strip=strip, hosts=(), upstream=upstream, limits=limits, budget=None)


def _route(facts: _Facts, words: Iterator[Any]) -> Route:
    return _node(
        Route,
        name=next(words),
        path=_Path(next(words)),
        limits=_limits(facts.limits, words),
        headers=_node(Headers, request=_changes(facts.request, words), response=_changes(facts.response, words)),
        cache=None if facts.cached is None else _cache(facts.cached, words),
        **dict.fromkeys(("stream", "websocket"), False),
        cors=None,
        **{one: getattr(facts, one) for one in ("auth", "timeouts", "retries", "methods", "max_body")},
    )


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
