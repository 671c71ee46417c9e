"""What clients can ask for: every host, shape of path and method, and the route that answers in each Gateway.

A request is followed, not a name: a renamed route that answers the same requests is the same to its clients.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gwc.ir import Gateway, PathTemplate, SegmentKind
from gwc.routing import HostTable, MethodRoute, host_tables

Shape = tuple[tuple[int, str], ...]


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
    """Every kind of request that one of the two answers."""
    tables = _Tables(old), _Tables(new)
    hosts = sorted({host for table in tables for host in table.by_host if host is not None})
    for host in (*hosts, None):
        first, second = (table.of(host) for table in tables)
        for asked in _asked(host, first.table, second.table):
            yield Answered(asked, first.route(asked), second.route(asked))


def _asked(host: str | None, *tables: HostTable) -> Iterator[Asked]:
    seen: set[tuple[Shape, str]] = set()
    for table in tables:
        for entry in table.entries:
            for method in entry.allow:
                if (entry.path.shape, method) not in seen:
                    seen.add((entry.path.shape, method))
                    yield Asked(host, entry.path, method)


class _Table:
    """One host's table with its entries by shape: a kind of request is matched by its own shape first."""

    def __init__(self, table: HostTable) -> None:
        self.table = table
        self._by_shape = {entry.path.shape: entry for entry in table.entries}

    def route(self, asked: Asked) -> MethodRoute | None:
        entry = self._by_shape.get(asked.path.shape)
        if entry is None:
            entry = next((e for e in self.table.entries if covers(e.path, asked.path)), None)
        return next((r for r in entry.routes if asked.method in r.route.methods), None) if entry else None


class _Tables:
    def __init__(self, gateway: Gateway) -> None:
        self.by_host = {table.host: _Table(table) for table in host_tables(gateway)}

    def of(self, host: str | None) -> _Table:
        return self.by_host.get(host) or self.by_host[None]


def covers(template: PathTemplate, path: PathTemplate) -> bool:
    """Whether `template` matches everything that `path` does."""
    for index, segment in enumerate(template.segments):
        if segment.kind is SegmentKind.REST:
            return len(path.segments) > index
        if index >= len(path.segments) or path.segments[index].kind is SegmentKind.REST:
            return False
        theirs = path.segments[index]
        if segment.kind is SegmentKind.LITERAL and (theirs.kind, theirs.text) != (segment.kind, segment.text):
            return False
    return len(template.segments) == len(path.segments)
