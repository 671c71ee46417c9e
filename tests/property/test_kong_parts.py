"""What kong.yml says of a service follows from the platform, that service, and what its part says it was given."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import reduce
from typing import Any

import pytest
from hypothesis import given, settings

from compiling import gateway_of
from gwc.ir import Cors, Gateway
from gwc.leaves import Leaf, changed, leaves
from gwc.parts import Assembled, Part, made
from gwc_kong import TARGET
from property.strategies import policies
from unit.kong.gateways import gateway, route, service

_NAMES = ("name", "id", "hosts", "path", "methods", "base_path", "strip", "providers")
"""What makes the rows of a service: without it they keep their places among all. And whom a route knows."""
PROFILES = TARGET.profiles


def pieces(built: Gateway, profile: str) -> Assembled:
    output = TARGET.emit(built, profile).files["kong.yml"]
    assert isinstance(output, Assembled)
    return output


def parts(built: Gateway, profile: str) -> dict[tuple[str, str, str], str]:
    """The text of each part, by all that it is known by."""
    found = {}
    for part in (piece for piece in pieces(built, profile).pieces() if isinstance(piece, Part)):
        key = (part.service, part.name, part.given)
        assert key[:2] not in {other[:2] for other in found}, "a part has a name of its own"
        found[key] = part.make().text
    return found


def others_changed(built: Gateway, name: str) -> Gateway:
    """Every setting of every other service is another one."""

    def applies(leaf: Leaf) -> bool:
        place = leaf.path[1] if leaf.path[0] == "services" else None
        other = isinstance(place, int) and built.services[place].name != name
        return other and leaf.path[-1] not in _NAMES and leaf.value not in (None, ())

    return reduce(changed, filter(applies, leaves(built)), built)


def neighbourhoods(built: Gateway, name: str) -> Iterator[Gateway]:
    """With the service of this name as it is: all others changed, gone, in front of it, and behind it."""
    (own,) = [one for one in built.services if one.name == name]
    rest = [one for one in built.services if one.name != name]
    yield others_changed(built, name)
    yield replace(built, services=(own,))
    for new in (service("0", route("r", "/!", "GET")), service("zz", route("r", "/~~~", "GET"))):
        yield replace(built, services=tuple(sorted([own, *rest, new], key=lambda one: one.name)))


def follows(built: Gateway, profile: str, name: str) -> int:
    """How many texts of a part were held against one of another gateway."""
    before, compared = parts(built, profile), 0
    own = {key for key in before if key[0] == name}
    assert own <= parts(others_changed(built, name), profile).keys(), (
        "the rows are where they were: nothing else counts"
    )
    for other in neighbourhoods(built, name):
        after = parts(other, profile)
        same = [key for key in before.keys() & after.keys() if key[0] == name]
        assert [before[key] for key in same] == [after[key] for key in same], name
        compared += len(same)
    return compared


@settings(max_examples=25)
@given(policies())
def test_a_part_follows_from_its_own_service_and_what_is_given(generated: dict[str, Any]) -> None:
    built = gateway_of(generated)
    for one in built.services:
        assert follows(built, "plugin", one.name) >= 3


CORS = Cors(origins=("https://a.example",), methods=("GET",), headers=(), credentials=False, max_age=5.0)
NEIGHBOURS = gateway(
    service("a", *(route(f"r{n}", f"/{n}", "GET", cors=CORS) for n in "0246"), hosts=("h.test", "::1")),
    service("b", *(route(f"r{n}", f"/{n}", "GET", cors=CORS) for n in "0124")),
    service("c", *(route(f"r{n}", f"/{n}", "POST", cors=CORS) for n in "0356"), route("r4", "/{x}", "POST")),
)
"""Whose rows lie between those of each other, and who serve paths together."""


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("name", ["a", "b", "c"])
def test_among_rows_of_others_too(profile: str, name: str) -> None:
    assert follows(NEIGHBOURS, profile, name) >= 2


@settings(max_examples=10)
@given(policies())
def test_pieces_are_whole_lines_that_the_judge_accepts(generated: dict[str, Any]) -> None:
    for profile in PROFILES:
        found = [made(piece) for piece in pieces(gateway_of(generated), profile).pieces()]
        assert all(one.text.endswith("\n") for one in found)
        assert all(one.fit for one in found)
