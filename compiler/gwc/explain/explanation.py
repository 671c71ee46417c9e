"""All that there is to say of one request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gwc.explain.asked import Asked, Found, elsewhere, find
from gwc.explain.checks import Check, checks
from gwc.explain.lines import Line
from gwc.explain.misses import Miss, near_misses
from gwc.explain.promises import Inexact
from gwc.explain.values import Row, rows
from gwc.explain.waiting import Worst, worst_case
from gwc.ir import Gateway
from gwc.routing import MethodRoute


@dataclass(frozen=True, slots=True)
class Answer:
    """What holds for the route that answers."""

    checks: tuple[Check, ...]
    worst: Worst
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Rendering:
    """One target's files by name, and the lines of each row; None where the target cannot tell them."""

    target: str
    files: Mapping[str, str]
    lines: tuple[tuple[Row, tuple[Line, ...] | None], ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """`answer` is None when no route answers. `elsewhere`: other hosts where the same words reach another route.

    `sliced`: the renderings are of the platform and this service alone.
    """

    found: Found
    user: str | None
    answer: Answer | None
    misses: tuple[Miss, ...]
    elsewhere: Mapping[str, MethodRoute]
    inexact: tuple[Inexact, ...] = ()
    renderings: tuple[Rendering, ...] = ()
    sliced: bool = False


def explain(gateway: Gateway, asked: Asked, user: str | None) -> Explanation:
    found = find(gateway, asked)
    answer = _answer(gateway, found, user) if found.route else None
    return Explanation(found, user, answer, near_misses(gateway, found), elsewhere(gateway, found))


def _answer(gateway: Gateway, found: Found, user: str | None) -> Answer:
    assert found.route is not None
    service, route = found.route.service, found.route.route
    method = found.asked.method
    return Answer(
        checks(gateway, service, route, method, user),
        worst_case(route, method),
        rows(gateway, service.name, route.name),
    )
