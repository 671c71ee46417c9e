"""What is made anew for every service when one of many has changed, counted in calls of Python functions."""

from __future__ import annotations

import json
import re
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


def differing(number: int, routes: int = 8) -> dict[str, Any]:
    """A service whose routes have limits and clocks of their own, and directives that many others have."""
    names = {"upstream": {"endpoints": [{"url": f"http://s{number}.internal:1"}]}}
    own = [
        route(
            name=f"r{n}",
            path=f"/a/{{id}}/{n}",
            retries={"attempts": 2, "budget": f"{n + 10}%"},
            limits=[{"per": "ip", "rate": f"{number + 7}/min"}],
            headers={"response": {"set": {"X-N": f"{number}.{n}"}}},
            **(
                {"cache": {"ttl": f"{number + n + 1}s"}}
                if n % 2
                else {"cors": {"origins": [f"https://n{number}.test"]}}
            ),
        )
        for n in range(routes)
    ]
    return {"service": f"s{number:02}", "base_path": f"/s{number}", "routes": own, **names}


def containers(value: Any) -> int:
    """Objects and lists, each of which NGINX takes time and memory to load."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return isinstance(value, dict | list) + sum(map(containers, inner))


def loaded(services: int, routes: int = 8) -> tuple[str, str]:
    """gwc.json, and all directives."""
    files = TARGET.emit(gateway(*(differing(number, routes) for number in range(services))), "njs").files
    return files["gwc.json"].text, "".join(one.text for name, one in files.items() if name.endswith(".conf"))


BYTES_OF_A_ROUTE = 700
"""Of gwc.json, at most: its settings, its place among the nodes and that it has a cache."""


def test_what_nginx_loads_grows_little_with_the_routes() -> None:
    """One object a route, and one for its cache or CORS policy; half of them have the one, half the other."""
    few, many = (loaded(FEW, routes) for routes in (4, 16))
    added = FEW * 12
    assert containers(json.loads(many[0])) - containers(json.loads(few[0])) <= 2 * added
    assert many[1].count("location ") == few[1].count("location ")
    assert len(many[0]) - len(few[0]) < BYTES_OF_A_ROUTE * added


def test_nor_does_it_with_services_that_say_what_others_say() -> None:
    few, many = (loaded(services)[1] for services in (FEW, MANY))
    assert many.count("location ") == few.count("location ")
    assert many.count(" zone=") == few.count(" zone="), "zones have their price before they hold anything"
    assert len(set(re.findall(r"zone (\S+)[ ;]", many))) == len(set(re.findall(r"zone (\S+)[ ;]", few)))
