"""Who answers what is the model's answer, and nothing is left out but what the very same route answers on both sides.

Many small fleets of few hosts and few paths, so that patterns, hosts and plain paths meet in every way.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace

import pytest

from compiling import gateway_of
from diff.pairing import policies
from gwc.diff import diff
from gwc.diff.surface import Answered, answered
from gwc.ir import Gateway, PathTemplate, Service
from gwc.model.matching import Matcher
from gwc.policy.texts import parse_path

PATHS = ("/", "/a", "/a/", "/a/b", "/{x}", "/a/{x}", "/{x}/b", "/{x}/{y}", "/a/**", "/{x}/**", "/**", "/a/b/{x}")
HOSTS = ((), (), ("one.example",), ("two.example",), ("one.example", "two.example"))
METHODS = (("GET",), ("GET", "HEAD"), ("POST",))
STRANGE = "zz"
"""No literal."""
FLEETS = 400


@pytest.fixture(scope="module")
def platform() -> Gateway:
    return gateway_of(policies("route", {}))


def _fleet(platform: Gateway, chance: random.Random) -> Gateway:
    services = tuple(_service(platform.services[0], number, chance) for number in range(chance.randint(1, 5)))
    return replace(platform, services=_fitting(services))


def _service(like: Service, number: int, chance: random.Random) -> Service:
    routes = tuple(
        replace(like.routes[0], name=f"r{index}", path=parse_path(path), methods=chance.choice(METHODS))
        for index, path in enumerate(chance.sample(PATHS, chance.randint(1, 4)))
    )
    return replace(like, name=f"s{number}", hosts=chance.choice(HOSTS), routes=routes)


def _fitting(services: tuple[Service, ...]) -> tuple[Service, ...]:
    """Without routes that match the same requests as others."""
    taken: set[tuple[object, ...]] = set()
    kept = []
    for service in services:
        routes = []
        for route in service.routes:
            keys = {(host, route.path.shape, m) for host in service.hosts or (None,) for m in route.methods}
            if not keys & taken:
                taken |= keys
                routes.append(route)
        kept.append(replace(service, routes=tuple(routes)))
    return tuple(kept)


def _changed(old: Gateway, chance: random.Random) -> Gateway:
    """With services that are the very same, some that are new, and some that are gone."""
    other = _fleet(old, chance).services
    kept = [service for service in old.services if chance.random() < 0.6]
    names = {service.name for service in kept}
    added = [replace(service, owner="another") for service in other if service.name not in names]
    fitting = _fitting((*kept, *added[: chance.randint(0, 2)]))
    same = {service.name: service for service in kept}
    return replace(old, services=tuple(same[s.name] if s == same.get(s.name) else s for s in fitting))


def _copied(gateway: Gateway) -> Gateway:
    """The same, and nothing the very same."""
    return replace(
        gateway, services=tuple(replace(s, routes=tuple(replace(r) for r in s.routes)) for s in gateway.services)
    )


def _pairs(platform: Gateway) -> Iterator[tuple[Gateway, Gateway]]:
    chance = random.Random(7)
    for _ in range(FLEETS):
        old = _fleet(platform, chance)
        yield old, _changed(old, chance)


def test_what_is_answered_is_what_the_model_answers(platform: Gateway) -> None:
    for old, new in _pairs(platform):
        matchers = Matcher(old), Matcher(new)
        for one in answered(_copied(old), _copied(new)):
            if "**" in one.asked.path.text:
                continue  # there is no single request that stands for all of them
            asked = one.asked.method, one.asked.host or "other.example", _concrete(one.asked.path)
            for found, matcher in zip((one.old, one.new), matchers, strict=True):
                matched = matcher.match(*asked).route
                assert _names(found) == _names(matched), (asked, one)


def _concrete(path: PathTemplate) -> str:
    """A request that stands for all others of its kind: no plain path is for it alone."""
    return "/".join(STRANGE if part.startswith("{") else part for part in path.text.split("/"))


def _names(found: object) -> tuple[str, str] | None:
    return None if found is None else (found.service.name, found.route.name)  # type: ignore[attr-defined]


def test_all_that_may_differ_is_asked(platform: Gateway) -> None:
    left_out = 0
    for old, new in _pairs(platform):
        asked = list(answered(old, new))
        every = list(answered(_copied(old), _copied(new)))
        known = {_kind(one) for one in asked}
        assert known <= {_kind(one) for one in every}
        same = {service.name for service in old.services if any(service is other for other in new.services)}
        for one in every:
            if _kind(one) not in known:
                left_out += 1
                assert _names(one.old) == _names(one.new)
                assert one.old is None or one.old.service.name in same
    assert left_out > FLEETS


def _kind(one: Answered) -> tuple[object, ...]:
    return one.asked.host, one.asked.path.shape, one.asked.method, _names(one.old), _names(one.new)


def test_services_that_are_the_very_same_mean_what_equal_ones_mean(platform: Gateway) -> None:
    for old, new in _pairs(platform):
        assert diff(old, new) == diff(_copied(old), _copied(new))
