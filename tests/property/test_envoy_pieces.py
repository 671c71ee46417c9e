"""Envoy's bootstrap in pieces is what the whole gateway describes, and a part sees its own service alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from compiling import gateway_of
from gwc.ir import Gateway
from gwc.parts import Part, made
from gwc_envoy import TARGET
from gwc_envoy.emit import FILE, bootstrap, document
from gwc_envoy.printing import render
from gwc_envoy.streaming import pieces
from property.strategies import policies
from unit.envoy.policies import gateway

Policies = Mapping[str, Any]


@st.composite
def crowds(draw: st.DrawFn) -> Policies:
    """Services of several policies on one platform, some of them on paths and hosts of others."""
    found, *others = draw(st.lists(policies(), min_size=1, max_size=3))
    services = [data for one in (found, *others) for data in one.values() if data["kind"] == "Service"]
    base = draw(st.sampled_from([None, "/shared"]))
    return {"platform": found["platform"]} | {
        f"s{number}": _placed({**data, "service": f"{data['service'][:40]}-{number}"}, number, base)
        for number, data in enumerate(services)
    }


def _placed(service: dict[str, Any], number: int, base: str | None) -> dict[str, Any]:
    """In the place of the others, with methods that no other has: two routes for one request are no Gateway."""
    if base is None or number >= len(_VERBS):
        return {**service, "base_path": f"/{number % 2}{service['base_path']}-{number}"}
    verb = _VERBS[number]
    own = {tuple(segment[:1] for segment in route["path"].split("/")): route for route in service["routes"]}
    routes = [_asked_with(verb, route) for route in own.values()]
    return {**service, "base_path": base, "hosts": ["one.example.com"] if number % 3 else [], "routes": routes}


_VERBS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD")


def _asked_with(verb: str, route: dict[str, Any]) -> dict[str, Any]:
    needs = {"GET", "HEAD"} if verb not in ("GET", "HEAD") else {"GET"} if verb != "GET" else set()
    kept = {key: value for key, value in route.items() if not (needs and key in ("cache", "websocket"))}
    return {**kept, "methods": [verb]}


def parts_of(crowd: Gateway) -> dict[tuple[str, str, str], Part]:
    found = [piece for piece in pieces(crowd, document(crowd)) if isinstance(piece, Part)]
    parts = {(part.service, part.name, part.given): part for part in found}
    assert len({(service, name) for service, name, _ in parts}) == len(found), "a part's name is its own"
    return parts


@settings(max_examples=20)
@given(crowds())
def test_the_pieces_are_the_whole(written: Policies) -> None:
    crowd = gateway_of(written)
    found = [made(piece) for piece in pieces(crowd, document(crowd))]
    text, whole = "".join([piece.text for piece in found]), bootstrap(crowd)
    assert text == render(whole)
    assert json.loads(text) == whole
    assert all(piece.text.endswith("\n") or not piece.text for piece in found)
    assert all(piece.fit for piece in found) and TARGET.judge(TARGET.emit(crowd, "default")) == ()


@settings(max_examples=20)
@given(crowds(), st.data())
def test_a_part_sees_its_own_service_alone(written: Policies, data: st.DataObject) -> None:
    """The others are left out, or are others."""
    services = [name for name in written if name != "platform"]
    kept = data.draw(st.sets(st.sampled_from(services), min_size=1))
    other = {name: {**one, "hosts": [], "base_path": f"/{name}"} for name, one in data.draw(crowds()).items()}
    added = {f"other-{name}": {**one, "service": f"other-{name}"} for name, one in other.items() if name != "platform"}
    before = gateway_of(written)
    after = gateway_of({name: one for name, one in written.items() if name in {"platform", *kept}} | added)
    own = {written[name]["service"] for name in kept}
    first, second = parts_of(before), parts_of(after)
    same = [key for key in first.keys() & second.keys() if key[0] in own]
    for key in same:
        assert first[key].make() == second[key].make(), key


@settings(max_examples=5)
@given(crowds())
def test_what_makes_a_part_has_nothing_else_to_look_at(written: Policies) -> None:
    for part in parts_of(gateway_of(written)).values():
        assert isinstance(part.make, partial)
        crowd, run, judge, at = part.make.args
        assert run.make.__closure__ is None and "<" not in run.make.__qualname__
        assert all(repr(one) in part.given for one in (run.make.__qualname__, run.given, judge, at.tail))
        assert all(type(value) in (str, int) for value in run.given)
        assert part.make.func(replace(crowd, services=()), run, judge, at) == part.make()


@settings(max_examples=5)
@given(crowds(), crowds())
def test_what_routes_share_is_nobody_s_own(one: Policies, other: Policies) -> None:
    """What was made for another gateway, and printed at another place, leaves no trace."""
    first, second = gateway_of(one), gateway_of(other)
    texts = [TARGET.emit(crowd, "default").files[FILE].text for crowd in (first, second, first)]
    assert texts[0] == texts[2]
    assert texts == [render(bootstrap(crowd)) for crowd in (first, second, first)]


def test_what_is_given_tells_what_crosses_services() -> None:
    """A limit of another service switches a filter on, which a route that has none of its own switches off."""
    quiet = {"service": "a"}
    without, limited = (
        parts_of(gateway(quiet, {"service": "b", "limits": limits})) for limits in ([], [{"per": "ip", "rate": "5/s"}])
    )
    (before,), (after,) = (
        [part for (service, name, _), part in found.items() if service == "a" and name.startswith("http/")]
        for found in (without, limited)
    )
    assert before.given != after.given
    assert before.make() != after.make()


def test_the_platform_is_there() -> None:
    """A part is made from the platform's own settings, whichever services there are."""
    crowd = gateway({"service": "a"}, {"service": "b"}, limits=[{"per": "ip", "rate": "5/s"}])
    texts = [part.make().text for part in parts_of(crowd).values() if part.name.startswith("http/")]
    assert len(texts) == 2 and all('"descriptor_value": "platform/0"' in text for text in texts)
