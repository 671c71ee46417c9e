"""Where the routes of a service were written, for routes whose values were known before (`gwc.resolve.memory`).

Only what somebody asks for is settled, by the code that settles a whole route: one section, and for a route that writes
nothing of it, once for all such routes of the service. tests/property/test_written.py holds each origin against that of
the whole route.
"""

from __future__ import annotations

import weakref
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gwc.diagnostics import Report, Span
from gwc.ir import (
    Auth,
    Cache,
    Cors,
    HeaderChanges,
    Headers,
    Level,
    Limit,
    Node,
    Origin,
    Provenance,
    Retries,
    Route,
    Shared,
    Timeouts,
)
from gwc.policy.variants import read_again, service_of
from gwc.resolve import sections
from gwc.resolve.levels import Layer, scalar, section
from gwc.resolve.platform import Place, Top

if TYPE_CHECKING:
    from gwc.policy.service import ServicePolicy

OWN = {
    leaf: leaf
    for leaf in ("name", "description", "path", "methods", "limits", "cost", "stream", "websocket")
}  # fmt: skip
"""Leaves of a route that it alone can write, and its keys for them."""
LIMIT = {
    "id": "per", "key": "per", "header": "per.header", "rate": "rate", "burst": "burst", "shadow": "mode",
    "cluster": "scope",
}  # fmt: skip
INHERITED = ("timeouts", "retries", "cors", "headers", "cache")
"""Sections whose origin is the level that wrote any of it last."""

_Path = tuple[str | int, ...]
_NOBODY = Origin(Level.DEFAULT, Span("", 1, 1, 1, 1))
"""In the place of a route's home, while a section is settled for all routes that write nothing of it."""


def route_place(service: Place, index: int) -> Place:
    path = (*service.path, "routes", index)
    return Place(Top(service.document, path, Level.ROUTE, (*path, "name")))


def home(route: Place) -> Origin:
    """Of what no level wrote."""
    return Origin.sought(_default, route.home)


def _default() -> Level:
    return Level.DEFAULT


def route_origin(leaf: str, layers: Sequence[Layer], context: sections.RouteContext) -> Origin:
    """Of a section as a whole."""
    if leaf == "auth":
        return sections.auth(layers, context)[1]
    if leaf == "max_body":
        return scalar(layers, leaf, 0, context.home)[1]
    return section(layers, leaf).origin(context.home)


class Written:
    """The levels of a service's routes. Its policy is read again for who asks once nobody has it any more."""

    __slots__ = ("_defaults", "_place", "_policy")

    def __init__(self, defaults: Layer, place: Place, policy: ServicePolicy) -> None:
        self._defaults, self._place = defaults, place
        self._policy = weakref.ref(policy)

    def place(self, index: int) -> Place:
        return route_place(self._place, index)

    def home(self, index: int) -> Origin:
        return home(self.place(index))

    def settled(self, path: _Path, index: int | None) -> Provenance:
        """Of the section at `path`; None for any route that writes nothing of it."""
        global _recent
        if (recent := _recent) is None or recent[0] is not self:
            recent = _recent = (self, {})
        if (found := recent[1].get((path, index))) is None:
            found = recent[1][path, index] = self._settle(path, index)
        return found

    def _settle(self, path: _Path, index: int | None) -> Provenance:
        context = self._context(_NOBODY if index is None else self.home(index))
        return sections.provenance(path, self._layers(index), context)

    def whole(self, leaf: str, index: int) -> Origin:
        return route_origin(leaf, self._layers(index), self._context(self.home(index)))

    def _layers(self, index: int | None) -> tuple[Layer, ...]:
        policy = self._policy() or service_of(read_again(self._place.document))
        assert policy is not None
        document = self._place.document
        above = (self._defaults, Layer(Level.SERVICE, document, (), policy))
        if index is None:
            return above
        return (*above, Layer(Level.ROUTE, document, ("routes", index), policy.routes[index]))

    def _context(self, home: Origin) -> sections.RouteContext:
        """What is found now was found before, and then reported."""
        return sections.RouteContext("", (), False, home, Report())


_recent: tuple[Written, dict[tuple[_Path, int | None], Provenance]] | None = None
"""Of the service that was asked for last: who asks for one of its routes mostly asks for the others."""


class RoutePlace(Shared):
    """Stands for the provenances of a route and its nodes: one for all, for there are many routes. `own` are the
    sections that the route says something of."""

    __slots__ = ("_index", "_of", "_own")

    def __init__(self, of: Written, index: int, own: frozenset[str]) -> None:
        self._of, self._index, self._own = of, index, own

    def of(self, node: Any) -> Provenance:
        kind = type(node)
        if kind is Route:
            return OfRoute(self._of, self._index, ())
        if kind is Limit:
            return OfLimit(self._of, self._index, ("limits", int(node.id.rpartition("/")[2])))
        return self.section(_PATHS[kind])

    def section(self, path: _Path) -> OfOwnSection | OfSection:
        return (OfOwnSection if path[0] in self._own else OfSection)(self._of, self._index, path)


_PATHS: dict[type[Node], _Path] = {
    Auth: ("auth",),
    Timeouts: ("timeouts",),
    Retries: ("retries",),
    Cors: ("cors",),
    Cache: ("cache",),
    Headers: ("headers",),
    HeaderChanges: ("headers", "request"),  # those of responses know their own place
}


class _At(Mapping[str, Origin]):
    """The provenance of one node of a route."""

    __slots__ = ("_index", "_of", "_path")

    def __init__(self, of: Written, index: int, path: _Path) -> None:
        self._of, self._index, self._path = of, index, path

    @abstractmethod
    def _leaves(self) -> Iterable[str]: ...

    def __iter__(self) -> Iterator[str]:
        return iter(self._leaves())

    def __len__(self) -> int:
        return sum(1 for _ in self._leaves())


class OfRoute(_At):
    __slots__ = ()

    def __getitem__(self, leaf: str) -> Origin:
        if leaf in OWN:
            return self._of.place(self._index).origin(OWN[leaf])
        if leaf not in self._leaves():
            raise KeyError(leaf)
        return self._of.whole(leaf, self._index)

    def _leaves(self) -> Iterable[str]:
        return (*OWN, *INHERITED, "auth", "max_body")


class OfLimit(_At):
    __slots__ = ()

    def __getitem__(self, leaf: str) -> Origin:
        return self._of.place(self._index).below(*self._path).origin(*LIMIT[leaf].split("."))

    def _leaves(self) -> Iterable[str]:
        return LIMIT


class OfOwnSection(_At):
    """Of a section that the route says something of."""

    __slots__ = ()

    def __getitem__(self, leaf: str) -> Origin:
        return self._of.settled(self._path, self._index)[leaf]

    def _leaves(self) -> Iterable[str]:
        return self._of.settled(self._path, self._index)


class OfSection(_At):
    """Of a section that the route leaves to the levels above: but for its home, the same for all such routes."""

    __slots__ = ()

    def __getitem__(self, leaf: str) -> Origin:
        found = self._of.settled(self._path, None)[leaf]
        return self._of.home(self._index) if found is _NOBODY else found

    def _leaves(self) -> Iterable[str]:
        return self._of.settled(self._path, None)
