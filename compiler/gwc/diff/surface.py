"""What clients can ask for: every host, shape of path and method, and the route that answers in each Gateway.

A request is followed, not a name: a renamed route that answers the same requests is the same to its clients. Nothing is
asked that the same services answer on both sides, for of most changes that is nearly everything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from gwc.ir import Gateway, PathTemplate, SegmentKind, Service
from gwc.routing import MethodRoute, PathEntry, Shape, path_entries

Wanted = Callable[[Shape], bool]
_PATTERNS = tuple((kind.value, "") for kind in (SegmentKind.PARAM, SegmentKind.REST))
"""Segments of a shape that match more than one text."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A kind of request. `host` None is every host that no service names."""

    host: str | None
    path: PathTemplate
    method: str

    def __str__(self) -> str:
        return f"{self.method} {self.host or ''}{self.path.text}"


@dataclass(frozen=True, slots=True)
class Answered:
    """Who answers it in the old and in the new Gateway; None: nobody."""

    asked: Asked
    old: MethodRoute | None
    new: MethodRoute | None


def answered(old: Gateway, new: Gateway) -> Iterator[Answered]:
    """Every kind of request that one of the two answers, but for those that the very same route answers in both."""
    scope = _scope(old, new)
    first, second = _Tables(old, scope), _Tables(new, scope)
    for host in (*sorted(first.named.keys() | second.named.keys()), None):
        for asked in _asked(host, (*first.entries(host), *second.entries(host))):
            yield Answered(asked, first.route(asked), second.route(asked))


def _asked(host: str | None, entries: Iterable[PathEntry]) -> Iterator[Asked]:
    seen: set[tuple[Shape, str]] = set()
    for entry in entries:
        for method in entry.allow:
            if (entry.path.shape, method) not in seen:
                seen.add((entry.path.shape, method))
                yield Asked(host, entry.path, method)


@dataclass(frozen=True, slots=True)
class _Scope:
    """What is asked about: shapes that are `wanted`, which services with an id in `apart` have none of."""

    wanted: Wanted
    apart: frozenset[int]

    def entries(self, services: Sequence[Service]) -> tuple[PathEntry, ...]:
        return path_entries((service for service in services if id(service) not in self.apart), self.wanted)


def _scope(old: Gateway, new: Gateway) -> _Scope:
    here = {id(service) for service in old.services}
    same = [service for service in new.services if id(service) in here]
    known = {id(service) for service in same}
    other = [service for gateway in (old, new) for service in gateway.services if id(service) not in known]
    wanted = _may_differ(other)
    apart = (id(service) for service in same if not any(wanted(route.path.shape) for route in service.routes))
    return _Scope(wanted, frozenset(apart))


def _may_differ(services: Sequence[Service]) -> Wanted:
    """Shapes of `services`, which are not the very same on both sides; and what their patterns for a host go before
    there, which are paths of services for every host."""
    own = {route.path.shape for service in services for route in service.routes}
    patterns = (route.path.shape for service in services if service.hosts for route in service.routes)
    before = {shape[0] for shape in patterns if _is_pattern(shape)}
    if not before.isdisjoint(_PATTERNS):
        return lambda _: True
    return lambda shape: shape in own or shape[0] in before


def _is_pattern(shape: Shape) -> bool:
    return any(segment in _PATTERNS for segment in shape)


class _Entries:
    """Those of some services in the order of matching. A kind of request is matched by its own shape first: whatever
    else matches it is less specific."""

    def __init__(self, services: Sequence[Service], scope: _Scope) -> None:
        self._services = services
        self.wanted = scope.entries(services)
        self._by_shape = {entry.path.shape: entry for entry in self.wanted}

    def of(self, path: PathTemplate) -> PathEntry | None:
        """The first that matches all that `path`, which is wanted, does."""
        return self._by_shape.get(path.shape) or next((e for e in self._near(path) if covers(e.path, path)), None)

    def _near(self, path: PathTemplate) -> Iterator[PathEntry]:
        for first in dict.fromkeys((path.shape[0], *_PATTERNS)):
            yield from self._patterns.get(first, ())

    @cached_property
    def _patterns(self) -> dict[tuple[int, str], list[PathEntry]]:
        """By their first segment. Few changes ask for them."""
        found: dict[tuple[int, str], list[PathEntry]] = {}
        for entry in path_entries(self._services, _is_pattern):
            found.setdefault(entry.path.shape[0], []).append(entry)
        return found


class _Tables:
    """A host's own entries go before those of services without hosts."""

    def __init__(self, gateway: Gateway, scope: _Scope) -> None:
        by_host: dict[str | None, list[Service]] = {None: []}
        for service in gateway.services:
            for host in service.hosts or (None,):
                by_host.setdefault(host, []).append(service)
        self._anywhere = _Entries(by_host.pop(None), scope)
        self.named = {host: _Entries(services, scope) for host, services in by_host.items() if host is not None}

    def entries(self, host: str | None) -> tuple[PathEntry, ...]:
        own = self._own(host)
        return (*(own.wanted if own else ()), *self._anywhere.wanted)

    def route(self, asked: Asked) -> MethodRoute | None:
        own = self._own(asked.host)
        entry = (own and own.of(asked.path)) or self._anywhere.of(asked.path)
        return next((r for r in entry.routes if asked.method in r.route.methods), None) if entry else None

    def _own(self, host: str | None) -> _Entries | None:
        return None if host is None else self.named.get(host)


def covers(template: PathTemplate, path: PathTemplate) -> bool:
    """Whether `template` matches everything that `path` does. A parameter is never empty."""
    for index, segment in enumerate(template.segments):
        if segment.kind is SegmentKind.REST:
            return len(path.segments) > index
        if index >= len(path.segments) or path.segments[index].kind is SegmentKind.REST:
            return False
        theirs = path.segments[index]
        if segment.kind is SegmentKind.LITERAL and (theirs.kind, theirs.text) != (segment.kind, segment.text):
            return False
        if theirs.kind is SegmentKind.LITERAL and not theirs.text and segment.kind is SegmentKind.PARAM:
            return False
    return len(template.segments) == len(path.segments)
