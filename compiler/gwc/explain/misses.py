"""The routes that nearly answer a request, and why each does not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher

from gwc.explain.asked import Found
from gwc.explain.template import misfits
from gwc.ir import Gateway, Origin, PathTemplate, Route, SegmentKind, Service

MOST = 5
_LIKE = 0.6
"""Of the letters of a path: what is less alike is no near miss."""


@dataclass(frozen=True, slots=True)
class Miss:
    """`reasons` completes "does not answer because ...". `origin` is where the template is written."""

    service: Service
    route: Route
    reasons: tuple[str, ...]
    rank: tuple[int, float]

    @property
    def origin(self) -> Origin:
        return self.route.provenance["path"]


def near_misses(gateway: Gateway, found: Found) -> tuple[Miss, ...]:
    """The nearest first: those whose path fits, then those that differ in a segment."""
    if found.status == 400:
        return ()
    mine = (found.route.service.name, found.route.route.name) if found.route else None
    every = (
        miss
        for service in gateway.services
        for route in service.routes
        if (service.name, route.name) != mine and (miss := _miss(service, route, found)) is not None
    )
    return tuple(sorted(every, key=lambda miss: (miss.rank, miss.service.name, miss.route.name))[:MOST])


def _miss(service: Service, route: Route, found: Found) -> Miss | None:
    parts = misfits(route.path, found.segments)
    alike = SequenceMatcher(None, route.path.text, found.path).ratio()
    if len(parts) > 1 or (parts and alike < _LIKE):
        return None
    reasons = (*parts, *_others(service, route, found, fits=not parts))
    if len(reasons) > (1 if found.route else 2):
        return None
    rank = (len(parts) * 2 + len(reasons), -alike)
    return Miss(service, route, reasons, rank)


def _others(service: Service, route: Route, found: Found, *, fits: bool) -> Iterator[str]:
    named = found.asked.host is not None or found.route is not None
    host = named and bool(service.hosts) and found.host not in service.hosts
    method = found.asked.method not in route.methods
    if host:
        yield f"other host: it answers on {', '.join(service.hosts)}"
    if method:
        yield f"other method: it takes {', '.join(route.methods)}"
    if fits and not host and not method:
        yield _shadowed(service, route, found)


def _shadowed(service: Service, route: Route, found: Found) -> str:
    """The path fits, the host and the method too: something more specific decides."""
    if found.route is None:
        return "shadowed by a more specific path that decides and lacks the method"
    winner = found.route
    name = f"{winner.service.name}/{winner.route.name}"
    where = _first_difference(winner.route.path, route.path)
    if where is None or (winner.service.hosts and not service.hosts):
        return f"shadowed by {name}: a host's own routes come before those of services without hosts"
    number, first, second = where
    return f"shadowed by {name}: in segment {number} {_KINDS[first]} comes before {_KINDS[second]}"


_KINDS = {SegmentKind.LITERAL: "a literal", SegmentKind.PARAM: "a parameter", SegmentKind.REST: "`**`"}


def _first_difference(winner: PathTemplate, loser: PathTemplate) -> tuple[int, SegmentKind, SegmentKind] | None:
    pairs = enumerate(zip(winner.segments, loser.segments, strict=False), 1)
    return next(((n, one.kind, other.kind) for n, (one, other) in pairs if one.kind is not other.kind), None)
