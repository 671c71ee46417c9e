"""Which promises of the policies some test exercises, told by what happened on the model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from gwc.diagnostics import Span
from gwc.features import routes
from gwc.ir import Gateway, Limit, Node
from gwc.testing.seen import Seen

PLATFORM = "platform"
Holds = Callable[[Seen], bool]


@dataclass(frozen=True, slots=True)
class Item:
    """One promise: whose it is, what it is called, where it was written, and what shows it."""

    owner: str
    kind: str
    name: str
    shown_by: str
    span: Span
    holds: Holds


@dataclass(frozen=True, slots=True)
class Coverage:
    """`covered` in the order of `items`."""

    items: tuple[Item, ...]
    covered: tuple[bool, ...]

    def of(self, owner: str) -> tuple[int, int]:
        """How many of an owner's items are covered, and how many there are."""
        mine = [hit for item, hit in zip(self.items, self.covered, strict=True) if item.owner == owner]
        return sum(mine), len(mine)

    @property
    def owners(self) -> list[str]:
        return list(dict.fromkeys(item.owner for item in self.items))

    @property
    def missing(self) -> list[Item]:
        return [item for item, hit in zip(self.items, self.covered, strict=True) if not hit]

    @property
    def percent(self) -> float:
        return 100.0 * sum(self.covered) / len(self.items) if self.items else 100.0


def coverage(gateway: Gateway, seen: Iterable[Seen]) -> Coverage:
    items, happened = tuple(_items(gateway)), list(seen)
    return Coverage(items, tuple(any(item.holds(one) for one in happened) for item in items))


def _items(gateway: Gateway) -> Iterator[Item]:
    yield from (_limit(PLATFORM, limit) for limit in gateway.limits)
    if gateway.concurrency is not None:
        yield _cap(PLATFORM, gateway, "concurrency", lambda s: s.limited_by == "concurrency")
    for service in gateway.services:
        yield from _routes(gateway, service.name)
        yield from (_limit(service.name, limit) for limit in service.limits)
        yield from _guards(gateway, service.name)


def _routes(gateway: Gateway, service: str) -> Iterator[Item]:
    for place, owner, route in routes(gateway):
        if owner.name != service:
            continue
        yield Item(service, "route", route.name, "a request that it lets in", _span(route, "path"), _admitted(place))
        yield from (_limit(service, limit) for limit in route.limits)
        if route.auth is not None:
            span = _span(route.auth, "providers")
            yield Item(
                service, "auth", route.name, "a request without good credentials", span, _at(place, "unauthorized")
            )
            if route.auth.scopes:
                span = _span(route.auth, "scopes")
                yield Item(service, "scopes", route.name, "a user without the scopes", span, _at(place, "forbidden"))
        if route.cache is not None:
            cache, span = route.cache, _span(route.cache, "ttl")
            yield Item(service, "cache", route.name, "an answer that is a HIT", span, _cached(place, "HIT"))
            if cache.stale_if_error or cache.stale_while_revalidate:
                yield Item(service, "stale", route.name, "an answer that is STALE", span, _cached(place, "STALE"))


def _guards(gateway: Gateway, name: str) -> Iterator[Item]:
    service = next(one for one in gateway.services if one.name == name)
    if service.budget is not None:
        yield _cap(name, service.budget, "units", _refused(name, "budget"), "budget")
    if service.upstream.concurrency is not None:
        yield _cap(name, service.upstream, "concurrency", _refused(name, "upstream.concurrency"))
    if service.upstream.breaker is not None:
        yield _cap(name, service.upstream.breaker, "failures", _refused(name, "breaker"), "breaker")


def _limit(owner: str, limit: Limit) -> Item:
    shown = "a request that it would have refused" if limit.shadow else "a request that it refuses"
    return Item(owner, "limit", limit.id, shown, _span(limit, "rate"), _limited(limit.id))


def _cap(owner: str, node: Node, field: str, holds: Holds, name: str = "concurrency") -> Item:
    return Item(owner, "guard", name, "a request that it refuses", _span(node, field), holds)


def _span(node: Node, field: str) -> Span:
    return node.provenance[field].span


def _admitted(place: str) -> Holds:
    """By the gateway: what the service makes of it is another matter."""
    return lambda seen: seen.place == place and bool(seen.received or seen.cache in ("HIT", "STALE"))


def _at(place: str, problem: str) -> Holds:
    return lambda seen: seen.place == place and seen.problem == problem


def _cached(place: str, how: str) -> Holds:
    return lambda seen: seen.place == place and seen.cache == how


def _limited(name: str) -> Holds:
    return lambda seen: seen.limited_by == name or name in seen.shadowed_by


def _refused(service: str, by: str) -> Holds:
    return lambda seen: seen.service == service and seen.limited_by == by
