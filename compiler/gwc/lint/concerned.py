"""The routes that a rule is about. A fleet's routes share what they settle, so a rule asks once about each setting, and
then looks at those routes alone to which its answer applies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import Any

from gwc.derived import per_gateway
from gwc.features import routes
from gwc.ir import Gateway, Route, SegmentKind, Service

Entry = tuple[str, Service, Route]
"""A route with its subject."""


def fitting(gateway: Gateway, *settings: str, fits: Callable[..., object]) -> Iterator[Entry]:
    """The routes whose settings fit, such as `timeouts` or `headers.request`, in the order of the gateway.

    `fits` gets their values, none of which is None: a route that lacks one of them is not asked about.
    """
    columns = [_column(gateway, name) for name in settings]
    marks = list(zip(*[column for column, _ in columns], strict=True))
    asked = {mark: [values[one] for one, (_, values) in zip(mark, columns, strict=True)] for mark in set(marks)}
    right = {mark for mark, said in asked.items() if not any(one is None for one in said) and fits(*said)}
    return (entry for entry, mark in zip(routes(gateway), marks, strict=True) if mark in right) if right else iter(())


_Column = tuple[list[int], dict[int, Any]]
"""Of one setting: what tells the value of each route from those of others, and the values."""


def _column(gateway: Gateway, setting: str) -> _Column:
    known = _known(gateway)
    if setting not in known:
        values = list(map(attrgetter(setting), [route for _, _, route in routes(gateway)]))
        # Nodes are the same where they share their values (see gwc.ir.Node); all of them live as long as the gateway.
        marks = [id(getattr(value, "__dict__", value)) for value in values]
        known[setting] = marks, dict(zip(marks, values, strict=True))
    return known[setting]


@per_gateway
def _known(_: Gateway) -> dict[str, _Column]:
    """By the settings' names, those that somebody has asked about."""
    return {}


@per_gateway
def public(gateway: Gateway) -> tuple[Entry, ...]:
    """The routes that ask for no credentials."""
    return tuple(entry for entry in routes(gateway) if entry[2].auth is None)


@per_gateway
def guarded(gateway: Gateway) -> tuple[Entry, ...]:
    """The routes that ask for credentials."""
    return tuple(entry for entry in routes(gateway) if entry[2].auth is not None)


@per_gateway
def open_ended(gateway: Gateway) -> tuple[Entry, ...]:
    """The routes whose path ends in `/**`."""
    return tuple(entry for entry in routes(gateway) if entry[2].path.segments[-1].kind is SegmentKind.REST)
