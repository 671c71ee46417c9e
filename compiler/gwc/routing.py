"""One order of matching for every target: hosts, then paths from the left, then methods.

A target prints this table; it never decides precedence itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from gwc.derived import per_gateway
from gwc.ir import Gateway, PathTemplate, Route, Service

Shape = tuple[tuple[int, str], ...]
"""Of a path: `PathTemplate.shape`."""


@dataclass(frozen=True, slots=True)
class MethodRoute:
    service: Service
    route: Route


@dataclass(frozen=True, slots=True)
class PathEntry:
    """All routes of one path shape. A method that none of them serves is 405 with `allow`."""

    path: PathTemplate
    routes: tuple[MethodRoute, ...]

    @property
    def allow(self) -> tuple[str, ...]:
        return tuple(sorted({method for entry in self.routes for method in entry.route.methods}))


@dataclass(frozen=True, slots=True)
class HostTable:
    """Entries in the order of matching: the first whose path matches decides. `host` None is every other host."""

    host: str | None
    entries: tuple[PathEntry, ...]


@per_gateway
def host_tables(gateway: Gateway) -> tuple[HostTable, ...]:
    """One table a named host, sorted, and the table of all other hosts last.

    A host's own routes come first and those of services without hosts behind them. The last table exists even when it
    is empty: an unknown host is then 404.
    """
    anywhere = path_entries(s for s in gateway.services if not s.hosts)
    named: dict[str, list[Service]] = {}
    for service in gateway.services:
        for host in service.hosts:
            named.setdefault(host, []).append(service)
    tables = [HostTable(host, path_entries(services) + anywhere) for host, services in sorted(named.items())]
    return (*tables, HostTable(None, anywhere))


def path_entries(services: Iterable[Service], wanted: Callable[[Shape], bool] | None = None) -> tuple[PathEntry, ...]:
    """Of the `wanted` shapes, or of all, in the order of matching."""
    by_shape: dict[Shape, list[MethodRoute]] = {}
    for service in services:
        for route in service.routes:
            if wanted is None or wanted(route.path.shape):
                by_shape.setdefault(route.path.shape, []).append(MethodRoute(service, route))
    entries = (PathEntry(routes[0].route.path, tuple(routes)) for _, routes in sorted(by_shape.items()))
    return tuple(entries)
