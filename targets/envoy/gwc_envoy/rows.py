"""Lists of the bootstrap that grow with the services. They are told entry by entry, so that nobody holds one whole.

Most entries follow from the platform and one service: a Run of them is made from a gateway with that service alone and
from what is spelled out beside it, so it cannot look at another service, and need not be made again when one changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from gwc.ir import Service
from gwc_envoy.faults import NOTHING_KNOWN, Judge
from gwc_envoy.xds import Json


@dataclass(frozen=True, slots=True)
class Run:
    """Neighbouring entries, at least one: `make(alone, *given)`, where `alone` has no service but this one.
    Some may be Alike.

    `make` is a function of a module, not one inside another: it has nothing to look at but its arguments.
    """

    service: Service
    make: Callable[..., Iterable[Any]]
    given: tuple[str | int, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """A list. `name` is its own in a file.

    `entries` are found anew each time. `whole` are the same ones, made from the whole gateway; without it `entries` has
    no Run. What the `judge` has something to say about does not fit.
    """

    name: str
    entries: Callable[[], Iterable[Json | Run]]
    whole: Callable[[], Iterable[Json]] | None = None
    judge: Judge = NOTHING_KNOWN

    def listed(self) -> list[Any]:
        """The entries as plain data, each made from the whole gateway."""
        return [plain(entry) for entry in (self.whole or self.entries)()]


@dataclass(frozen=True, slots=True, eq=False)
class Listed:
    """Rows with what is around them, `make(name, rows)`: an object in which the name is a value beside the Rows or
    around them. There may be thousands like it but for the name."""

    make: Callable[[str, Any], Json]
    name: str
    rows: Rows


def plain(node: Any) -> Any:
    """A document without Rows."""
    if type(node) is Rows:
        return node.listed()
    if type(node) is Listed:
        return plain(node.make(node.name, node.rows))
    if isinstance(node, dict):
        return {key: plain(value) for key, value in node.items()}
    return [plain(value) for value in node] if isinstance(node, list) else node


def holds_rows(node: Any) -> bool:
    if type(node) is dict:
        return any(map(holds_rows, node.values()))
    return any(map(holds_rows, node)) if type(node) is list else type(node) in (Rows, Listed)


def runs(services: Iterable[Service], make: Callable[..., Iterable[Any]], *given: str | int) -> Iterator[Run]:
    """One for each service. Those of a service that is there several times stand together."""
    for _, (service, *_rest) in groupby(services, lambda service: service.name):
        yield Run(service, make, given)
