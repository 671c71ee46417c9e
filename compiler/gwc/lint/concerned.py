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
    known = _known(gateway)
    if settings not in known:
        known[settings] = _marked(gateway, settings)
    marks, values = known[settings]
    right = {mark for mark, said in values.items() if not any(one is None for one in said) and fits(*said)}
    return (entry for entry, mark in zip(routes(gateway), marks, strict=True) if mark in right) if right else iter(())


_Mark = tuple[int, ...]
_Marked = tuple[list[_Mark], dict[_Mark, tuple[Any, ...]]]
"""What tells the values of each route from those of others, and the values of each mark."""


@per_gateway
def _known(_: Gateway) -> dict[tuple[str, ...], _Marked]:
    """By the settings' names, those that somebody has asked about."""
    return {}


def _marked(gateway: Gateway, settings: tuple[str, ...]) -> _Marked:
    own = [route for _, _, route in routes(gateway)]
    columns = [list(map(attrgetter(name), own)) for name in settings]
    # Nodes are the same where they share their values (see gwc.ir.Node), and all of them live as long as the gateway.
    marks = list(zip(*[[id(getattr(one, "__dict__", one)) for one in column] for column in columns], strict=True))
    return marks, dict(zip(marks, zip(*columns, strict=True), strict=True))


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
