"""Which route answers a request: hosts, then paths segment by segment, then methods."""

from __future__ import annotations

from dataclasses import dataclass, field

from gwc.ir import Gateway, SegmentKind
from gwc.model.paths import canonical
from gwc.routing import HostTable, MethodRoute, PathEntry, host_tables

REMEMBERED = 65536
"""Requests whose route is remembered; beyond that all are forgotten, so that a flood of paths costs no memory."""


@dataclass(slots=True)
class _Node:
    """Where a path may go on from a segment."""

    literals: dict[str, _Node] = field(default_factory=dict)
    param: _Node | None = None
    rest: PathEntry | None = None
    here: PathEntry | None = None


@dataclass(frozen=True, slots=True)
class Matched:
    """A route, or the status of why there is none: 400, 404, 405. `path` is the canonical one, empty for 400.

    `entry` has all routes of the path, for 405 too.
    """

    route: MethodRoute | None
    status: int
    path: str
    entry: PathEntry | None = None


class Matcher:
    """Remembers what it was asked, because most requests are like others."""

    def __init__(self, gateway: Gateway) -> None:
        tables = host_tables(gateway)
        anywhere = len(tables[-1].entries)
        self._named = {table.host: _own(table, anywhere) for table in tables[:-1]}
        self._anywhere = _tree(tables[-1].entries)
        self._remembered: dict[tuple[str, str, str], Matched] = {}

    def match(self, method: str, host: str, path: str) -> Matched:
        key = (method, host, path)
        found = self._remembered.get(key)
        if found is None:
            if len(self._remembered) >= REMEMBERED:
                self._remembered.clear()
            found = self._remembered[key] = self._find(method, host_name(host), path)
        return found

    def _find(self, method: str, host: str, path: str) -> Matched:
        form = canonical(path)
        if form is None:
            return Matched(None, 400, "")
        segments = form.split("/")[1:]
        own = self._named.get(host.strip("[]"))
        entry = (own and _walk(own, segments, 0)) or _walk(self._anywhere, segments, 0)
        if entry is None:
            return Matched(None, 404, form)
        route = next((r for r in entry.routes if method in r.route.methods), None)
        return Matched(route, 200 if route else 405, form, entry)


def host_name(host: str) -> str:
    """Lower case, without its port and without one dot at its end."""
    name = host.lower()
    name, _, port = name.rpartition(":") if ":" in name and not name.endswith("]") else (name, "", "")
    return (name or port).removesuffix(".")


def _own(table: HostTable, anywhere: int) -> _Node:
    """A host's own entries; those of services without hosts stand behind them."""
    return _tree(table.entries[: len(table.entries) - anywhere])


def _tree(entries: tuple[PathEntry, ...]) -> _Node:
    root = _Node()
    for entry in entries:
        node = root
        for segment in entry.path.segments:
            if segment.kind is SegmentKind.REST:
                node.rest = entry
                break
            if segment.kind is SegmentKind.PARAM:
                node.param = node = node.param or _Node()
            else:
                node = node.literals.setdefault(segment.text, _Node())
        else:
            node.here = entry
    return root


def _walk(node: _Node, segments: list[str], index: int) -> PathEntry | None:
    """The most specific entry; a parameter is never empty, a rest may be."""
    if index == len(segments):
        return node.here
    segment = segments[index]
    literal = node.literals.get(segment)
    found = _walk(literal, segments, index + 1) if literal else None
    if found is None and node.param is not None and segment:
        found = _walk(node.param, segments, index + 1)
    return found or node.rest
