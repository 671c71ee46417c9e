"""Which routes share a location of NGINX: those that say the same in it, to the letter. There are as many locations as
there are different things to say, whatever else their routes differ in, and NGINX needs ten kilobytes for each."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from gwc.derived import per_gateway
from gwc.ir import Gateway, Route, Service
from gwc_nginx import cache, forwarding, retries
from gwc_nginx.conf import Directive, written
from gwc_nginx.doors import Door, location
from gwc_nginx.sections import Own, platform_of
from gwc_nginx.sharing import chosen, directives, forwarding_of, route_name

KINDS: Mapping[str, Callable[[Gateway, Service, Route], Iterable[Door]]] = {
    "place": forwarding.doors,
    "store": cache.outer,
    "asked": cache.inner,
    "lane": retries.lanes,
}
"""By the name that the njs modules have for them. A route without doors of a kind has no place of that kind."""


@dataclass(frozen=True, slots=True)
class Places:
    """By the name of a route, the places of its kinds: the first route that says the same there. By kind and the name
    of a service, the routes that are such a first one."""

    of: dict[str, dict[str, str]]
    own: dict[str, dict[str, tuple[Route, ...]]]


@per_gateway
def places(gateway: Gateway) -> Places:
    platform = platform_of(gateway)
    known: dict[Hashable, dict[str, str]] = {}
    first: dict[Hashable, str] = {}
    found = Places({}, {kind: {} for kind in KINDS})
    for service in gateway.services:
        way = forwarding_of(service)
        for route in service.routes:
            key, name = (way, directives(route), _stored(route)), route_name(service, route)
            if key not in known:
                said = {kind: _said(kind, platform, service, route) for kind in KINDS}
                known[key] = {kind: first.setdefault((kind, text), name) for kind, text in said.items() if text}
            found.of[name] = known[key]
        _note(found, service)
    return found


def _stored(route: Route) -> Hashable:
    """What locations say of a cache; all else is for njs to know."""
    one = route.cache
    return None if one is None else (one.vary_headers, one.stale_while_revalidate > 0)


def _said(kind: str, platform: Gateway, service: Service, route: Route) -> tuple[tuple[str, str], ...]:
    return tuple([(door.name, written(door.of)) for door in KINDS[kind](platform, service, route)])


def _note(found: Places, service: Service) -> None:
    for route in service.routes:
        name = route_name(service, route)
        for kind, place in found.of[name].items():
            if place == name:
                found.own[kind][service.name] = (*found.own[kind].get(service.name, ()), route)


def sections(gateway: Gateway, kind: str) -> Iterator[Own]:
    """The locations of a kind, service by service."""
    platform, own = platform_of(gateway), places(gateway).own[kind]

    def make(platform: Gateway, service: Service, given: str) -> Iterator[Directive]:
        for route in chosen(service, given.split()):
            yield from (location(door, route_name(service, route)) for door in KINDS[kind](platform, service, route))

    for service in gateway.services:
        if routes := own.get(service.name):
            yield Own(platform, service, kind, make, " ".join([route.name for route in routes]), depth=1)
