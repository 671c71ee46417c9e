"""Which routes have the same settings. What differs between them is in variables, so that the size of the output
follows the settings and not the routes."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from gwc.derived import per_gateway
from gwc.ir import Gateway, Route, Service
from gwc_nginx.breaker import guarded
from gwc_nginx.values import reader, values

_ELSEWHERE = frozenset({"name", "description", "path", "methods", "limits", "cost", "auth", "cors", "cache"})
"""What says nothing of a route's directives, and what is looked at by itself."""

directives = reader(Route, _ELSEWHERE)

_First = dict[Hashable, str]


def route_name(service: Service, route: Route) -> str:
    """The name of a route in the whole gateway; a service's name is a DNS label, so it cannot hold a slash."""
    return f"{service.name}/{route.name}"


def routes(gateway: Gateway) -> Iterator[tuple[str, Service, Route]]:
    for service in gateway.services:
        for route in service.routes:
            yield route_name(service, route), service, route


@dataclass(frozen=True, slots=True)
class Sharing:
    """By the name of a route, the first one with the same settings. By the name of a service, those of its routes that
    are such a first one."""

    settings: dict[str, str]
    settled: dict[str, tuple[Route, ...]]


@per_gateway
def sharing(gateway: Gateway) -> Sharing:
    found = Sharing({}, {})
    settled = _First()
    for service in gateway.services:
        way, guards = forwarding_of(service), _guards(service)
        names = [route_name(service, route) for route in service.routes]
        for route, name in zip(service.routes, names, strict=True):
            said = (directives(route), values(route.cache), values(route.auth), values(route.cors))
            found.settings[name] = settled.setdefault((way, said, guards, *_own(service, route, name)), name)
        found.settled[service.name] = _first(service, names, found.settings)
    return found


def forwarding_of(service: Service) -> Hashable:
    """What a service decides of its routes' directives."""
    upstream = service.upstream
    names = tuple(e.address.host for e in upstream.endpoints) if upstream.tls is not None else ()
    scheme = upstream.endpoints[0].scheme
    return (scheme, upstream.tls, names, len(service.strip), guarded(service), upstream.concurrency)


def _guards(service: Service) -> str | None:
    """A limit has a name of its own, and a budget belongs to its service: no two services have the same."""
    return service.name if service.limits or service.budget is not None else None


def _own(service: Service, route: Route, name: str) -> tuple[str | None, int | None]:
    return (name if route.limits else None, route.cost if service.budget is not None else None)


def _first(service: Service, names: Iterable[str], same: Mapping[str, str]) -> tuple[Route, ...]:
    return tuple([route for route, name in zip(service.routes, names, strict=True) if same[name] == name])


def chosen(service: Service, names: Iterable[str]) -> Iterator[Route]:
    """Routes by the names that the service has for them, which hold no space."""
    known = {route.name: route for route in service.routes}
    return (known[name] for name in names)
