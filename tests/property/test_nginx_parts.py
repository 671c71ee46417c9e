"""What NGINX's files say of a service follows from the platform, that service, and what its part says it was given."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings

from compiling import emitted, gateway_of
from gwc.ir import Gateway
from gwc.parts import Assembled, Part, made
from gwc_nginx import TARGET
from property.strategies import policies
from unit.nginx.gateways import gateway, route

from .test_kong_parts import others_changed

PROFILES = TARGET.profiles
Parts = dict[tuple[str, str, str, str], str]
"""The text of each part, by its file, its service, its name, and what it was given."""

CORS = ({"origins": ["https://a.example"]}, {"origins": ["*"], "credentials": False})
CACHES = ({"ttl": "1m", "vary": {"query": ["q"]}}, {"ttl": "2m", "vary": {"query": ["a", "q"]}})
LIMITS = [{"per": "ip", "rate": "5/min"}]
UPSTREAM = {
    "endpoints": [{"url": "http://one.internal:1"}, {"url": "http://127.0.0.1:2"}],
    "breaker": {"failures": 3, "open": "5s"},
}


def reads(*numbers: int) -> list[dict[str, Any]]:
    choices = ((n, {"cors": CORS[n % 2], "cache": CACHES[n // 2 % 2]}) for n in numbers)
    return [route(name=f"r{n}", path=f"/{n}", **chosen) for n, chosen in choices]


def writes(*numbers: int) -> list[dict[str, Any]]:
    return [route(name=f"w{n}", path=f"/{n}", methods=["POST"], retries={"attempts": n}) for n in numbers]


def own(number: int) -> dict[str, Any]:
    """Whose locations say what nobody else's do."""
    return route(name="own", path=f"/own{number}", timeouts={"idle": f"{number + 40}s"}, cache={"ttl": "1m"})


NEIGHBOURS = (
    {"service": "a", "hosts": ["h.test", "::1"], "routes": [*reads(0, 2, 4, 6), *writes(1), own(1)]},
    {"service": "b", "routes": [*reads(0, 1, 2, 4), *writes(3), own(2)], "budget": {"units": "5/min"}},
    {"service": "c", "routes": [*writes(0, 5, 6), own(3)], "limits": LIMITS, "upstream": UPSTREAM},
    {"service": "d", "base_path": "/d", "routes": [*reads(0, 1, 2), *writes(3), own(4)], "upstream": UPSTREAM},
)
"""Whose rows lie between those of each other, who serve paths together, and who share settings and locations."""


def parts(built: Gateway, profile: str) -> Parts:
    found: Parts = {}
    for name, output in emitted(built, TARGET, profile).files.items():
        for part in (piece for piece in output.pieces() if isinstance(piece, Part)):
            key = (name, part.service, part.name, part.given)
            assert key[:3] not in {other[:3] for other in found}, "a part has a name of its own in its file"
            found[key] = part.make().text
    return found


def surroundings(built: Gateway, name: str, strangers: Gateway) -> Iterator[Gateway]:
    """With the service of this name as it is: the others changed, gone one by one and all, and among more."""
    (own,) = [one for one in built.services if one.name == name]
    rest = tuple(one for one in built.services if one.name != name)
    yield others_changed(built, name)
    for left in (*(tuple(one for one in rest if one is not gone) for gone in rest), (), (*rest, *strangers.services)):
        services = {one.name: one for one in (*left, own)}
        yield replace(built, services=tuple(services[one] for one in sorted(services)))


def compared(built: Gateway, profile: str, name: str, strangers: Gateway) -> set[str]:
    """The files of which texts were held against those of other gateways."""
    before, files = parts(built, profile), set[str]()
    for other in surroundings(built, name, strangers):
        after = parts(other, profile)
        for key in (key for key in before.keys() & after.keys() if key[1] == name):
            assert before[key] == after[key], key
            files.add(key[0])
    return files


def growing(profile: str) -> set[str]:
    return {"upstreams.conf", "public.conf", "admin.conf", *(["gwc.json"] if profile == "njs" else [])}


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("name", ["a", "b", "c", "d"])
def test_a_part_follows_from_its_service_and_what_it_is_given(profile: str, name: str) -> None:
    strangers = gateway({"service": "a0", "routes": reads(3, 5, 8)}, {"service": "c0", "routes": writes(2, 4, 7)})
    assert compared(gateway(*NEIGHBOURS), profile, name, strangers) == growing(profile)


@settings(max_examples=15)
@given(policies(), policies())
def test_so_it_does_for_any_policies(written: dict[str, Any], others: dict[str, Any]) -> None:
    built, strangers = gateway_of(written), gateway_of(others)
    for profile in PROFILES:
        for one in built.services:
            assert "upstreams.conf" in compared(built, profile, one.name, strangers)


@settings(max_examples=15)
@given(policies())
def test_pieces_are_whole_lines_that_the_judge_accepts(written: dict[str, Any]) -> None:
    for profile in PROFILES:
        artifact = emitted(gateway_of(written), TARGET, profile)
        for output in (one for one in artifact.files.values() if isinstance(one, Assembled)):
            found = [made(piece) for piece in output.pieces()]
            assert all(one.text == "" or one.text.endswith("\n") for one in found)
            assert all(one.fit for one in found)
        assert TARGET.judge(artifact) == ()


@pytest.mark.parametrize(("profile", "others"), [("njs", {"gwc.json", "public.conf", "admin.conf"}), ("plain", set())])
def test_what_is_given_tells_what_crosses_services(profile: str, others: set[str]) -> None:
    """The service before it has the same settings, so that it has less to say itself."""
    first, second = ({"service": name, "base_path": f"/{name}", "routes": writes(2)} for name in "ab")
    alone, behind = (parts(gateway(*services), profile) for services in ((second,), (first, second)))
    assert {key[0] for key in alone.keys() - behind.keys()} == others
