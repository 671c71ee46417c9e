"""What is made anew for every service when one of many has changed, counted in calls of Python functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from counting import calls
from gwc.ir import Gateway
from gwc.parts import Part, made
from gwc_nginx import TARGET
from unit.nginx.gateways import gateway, route

FEW, MANY = 5, 25
SHARE = 0.6
"""Of the calls for a service, those outside of its parts, at most; it was less than half."""


def service(number: int) -> dict[str, Any]:
    """One of those that have much to say: no two share a thing but the platform."""
    routes = [route(name=f"r{n}", path=f"/{n}", timeouts={"request": f"{number + 1}s"}) for n in range(8)]
    own = {"limits": [{"per": "ip", "rate": "60/min"}], "cache": {"ttl": "1m"}, "retries": {"attempts": 2}}
    return {"service": f"s{number:02}", "base_path": f"/s{number}", "routes": [{**one, **own} for one in routes]}


def pieces(built: Gateway, profile: str) -> list[Any]:
    artifact = TARGET.emit(built, profile)
    return [piece for output in artifact.files.values() for piece in output.pieces()]


def for_each(work: Callable[[Gateway], object]) -> float:
    """The calls that a service adds, what is remembered of the gateway excepted."""
    few, many = (gateway(*(service(number) for number in range(count))) for count in (FEW, MANY))
    work(many)  # imports what all need, and makes what is made once for the same values
    found = [calls(partial(work, replace(one))) for one in (few, many)]
    return (found[1] - found[0]) / (MANY - FEW)


@pytest.mark.parametrize("profile", TARGET.profiles)
def test_little_is_done_outside_of_parts(profile: str) -> None:
    outside = for_each(lambda built: pieces(built, profile))
    assert outside < SHARE * for_each(lambda built: [made(piece) for piece in pieces(built, profile)])


@pytest.mark.parametrize("profile", TARGET.profiles)
def test_a_service_has_few_parts(profile: str) -> None:
    built = gateway(*(service(number) for number in range(FEW)))
    found = [piece for piece in pieces(built, profile) if isinstance(piece, Part)]
    assert len(found) <= 6 * FEW
