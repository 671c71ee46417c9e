"""Policies in the making: every value remembers the place of the source that said it.

So whatever the language refuses in the end can be named by file and line of what somebody has, not of what was drafted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from gwc.diagnostics import Span

Step = str | int
_PLATFORM = "platform.yaml"


@dataclass(slots=True)
class Said:
    """A scalar or a list of scalars, where the source says it, and what a reader of the policy should know of it."""

    value: Any
    span: Span
    comment: str = ""


@dataclass(slots=True, eq=False)
class Table:
    """A mapping of the draft. Its `items` are in the order in which they were said."""

    span: Span
    items: dict[str, Entry] = field(default_factory=dict)

    def put(self, path: str, value: Any, span: Span, comment: str = "") -> None:
        """`put("timeouts.connect", ...)` makes the mappings on its way. What stands there already is replaced."""
        *outer, last = path.split(".")
        table = self
        for step in outer:
            inner = table.items.get(step)
            if not isinstance(inner, Table):
                inner = table.items[step] = Table(span)
            table = inner
        table.items[last] = Said(value, span, comment)

    def add(self, name: str, row: Table) -> Table:
        """One more row of a list of mappings."""
        rows = self.items.setdefault(name, [])
        assert isinstance(rows, list)
        rows.append(row)
        return row

    def rows(self, name: str) -> list[Table]:
        rows = self.items.get(name, [])
        return rows if isinstance(rows, list) else []

    def said(self, path: str) -> Said | None:
        """The value at a dotted path."""
        *outer, last = path.split(".")
        table: Table | None = self
        for step in outer:
            inner = table.items.get(step) if table else None
            table = inner if isinstance(inner, Table) else None
        found = table.items.get(last) if table else None
        return found if isinstance(found, Said) else None

    def value(self, path: str, default: Any = None) -> Any:
        found = self.said(path)
        return default if found is None else found.value


Entry = Said | Table | list[Table]


@dataclass(slots=True)
class Draft:
    """A platform and its services, and public files that stand beside them, by name."""

    platform: Table
    services: list[Table] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)

    def policies(self) -> Iterator[tuple[str, Table]]:
        """Every policy with the name of its file, which a service of the name `platform` shares with nobody."""
        yield _PLATFORM, self.platform
        for service in self.services:
            file = f"{service.value('service')}.yaml"
            yield "platform.service.yaml" if file == _PLATFORM else file, service

    def policy(self, file: str) -> Table | None:
        return dict(self.policies()).get(file)


def new_platform(span: Span) -> Table:
    table = Table(span)
    table.put("apiVersion", "gwc/v1", span)
    table.put("kind", "Platform", span)
    return table


def new_service(name: str, span: Span) -> Table:
    table = Table(span)
    table.put("apiVersion", "gwc/v1", span)
    table.put("kind", "Service", span)
    table.put("service", name, span)
    return table


def plain(entry: Entry) -> Any:
    """Dicts, lists and scalars."""
    if isinstance(entry, Said):
        return entry.value
    if isinstance(entry, Table):
        return {key: plain(value) for key, value in entry.items.items()}
    return [plain(row) for row in entry]


def place_of(table: Table, path: tuple[Step, ...]) -> Span:
    """Where the source says what lies at `path`; the closest place around it that is known."""
    span = table.span
    for entry in _on_the_way(table, path):
        span = entry.span if isinstance(entry, Said | Table) else span
    return span


def take_out(table: Table, path: tuple[Step, ...]) -> tuple[str, ...]:
    """Remove the entry at `path`, or what encloses it as closely as possible. What was removed; empty for nothing."""
    trail: list[tuple[Any, Step]] = []
    node: Any = table
    for step in path:
        inner = _child(node, step)
        if inner is None:
            continue
        trail.append((node.items if isinstance(node, Table) else node, step))
        node = inner
        if isinstance(node, Said):
            break
    if not trail:
        return ()
    holder, step = trail[-1]
    del holder[step]
    return tuple(str(step) for _, step in trail)


def _on_the_way(table: Table, path: tuple[Step, ...]) -> Iterator[Entry]:
    node: Entry = table
    for step in path:
        inner = _child(node, step)
        if inner is not None:
            node = inner
            yield node


def _child(node: Entry, step: Step) -> Entry | None:
    if isinstance(node, Table) and isinstance(step, str):
        return node.items.get(step)
    if isinstance(node, list) and isinstance(step, int) and step < len(node):
        return node[step]
    return None
