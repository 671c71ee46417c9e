"""What is printed once for services that differ in words alone is what each of them is printed as by itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiling import gateway_of
from gwc.holes import Sheet
from gwc.ir import Gateway
from gwc.parts import Part, made
from gwc_envoy import routing
from gwc_envoy.emit import bootstrap, document
from gwc_envoy.printing import render
from gwc_envoy.streaming import pieces
from property.strategies import labels, one_line, policies, rates
from unit.envoy.policies import gateway, route

Policies = Mapping[str, Any]
_NAMES = labels | st.from_regex(r"[a-z]{20,40}", fullmatch=True)
_PATHS = st.from_regex(r"(/[a-zA-Z0-9._~!$&'()+,;=:@-]{1,12}[a-z]){1,3}", fullmatch=True)


@st.composite
def likes(draw: st.DrawFn) -> Policies:
    """Copies of a service that go by other names, of all lengths, have other owners and other rates."""
    found = draw(policies())
    pattern = next(data for data in found.values() if data["kind"] == "Service")
    names = draw(st.lists(_NAMES, min_size=4, max_size=8, unique=True))
    return {"platform": found["platform"]} | {name: draw(_copies(pattern, name)) for name in names}


@st.composite
def _copies(draw: st.DrawFn, pattern: dict[str, Any], name: str) -> dict[str, Any]:
    names = draw(st.lists(_NAMES, min_size=len(pattern["routes"]), max_size=len(pattern["routes"]), unique=True))
    routes = [_limited({**one, "name": new}, draw(rates)) for one, new in zip(pattern["routes"], names, strict=True)]
    own = {"service": name, "owner": draw(one_line.map(str.strip).filter(bool)), "base_path": f"/{name}{draw(_PATHS)}"}
    return _limited({**pattern, **own, "hosts": [], "routes": routes}, draw(rates))


def _limited(data: dict[str, Any], rate: str) -> dict[str, Any]:
    return {**data, "limits": [{**one, "rate": rate} for one in data["limits"]]} if "limits" in data else data


@settings(max_examples=15)
@given(likes())
def test_envoy_prints_paths_that_are_alike_as_it_prints_each(written: Policies) -> None:
    crowd = gateway_of(written)
    for _ in range(2):  # what was printed for one is still known in the second round
        assert _text(crowd) == render(bootstrap(crowd))


def _text(crowd: Gateway) -> str:
    return "".join([made(piece).text for piece in pieces(crowd, document(crowd))])


_LIMIT = {"per": "ip", "rate": "5/s", "burst": 7}
_PLAIN = {
    "retries": {"attempts": 2, "per_try": "1s", "budget": "20%"},
    "limits": [_LIMIT],
    "headers": {"request": {"set": {"X-A": "b"}}, "response": {"remove": ["X-B"]}},
}
_OTHERS: dict[str, dict[str, Any]] = {
    "methods": {"methods": ["PUT"]},
    "connect timeout": {"timeouts": {"connect": "7s"}},
    "request timeout": {"timeouts": {"request": "70s"}},
    "retries": {"retries": {"attempts": 1}},
    "retry budget": {"retries": {"attempts": 2, "budget": "30%"}},
    "limit's rate": {"limits": [{**_LIMIT, "rate": "6/s"}]},
    "limit's burst": {"limits": [{**_LIMIT, "burst": 8}]},
    "limit's period": {"limits": [{**_LIMIT, "rate": "5/min"}]},
    "limit's mode": {"limits": [{**_LIMIT, "mode": "shadow"}]},
    "limit's header": {"limits": [{**_LIMIT, "per": {"header": "X-A"}}]},
    "limits": {"limits": [_LIMIT, {**_LIMIT, "per": {"header": "X-A"}}]},
    "request headers": {"headers": {"request": {"set": {"X-A": "c"}}}},
    "response headers": {"headers": {"response": {"set": {"X-A": "b"}}}},
    "max_body": {"max_body": "1KiB"},
    "cors": {"cors": {"origins": ["https://a.example"]}},
    "auth": {"auth": "none"},
    "cache": {"cache": {"ttl": "5s", "scope": "user"}},
    "stale cache": {"cache": {"ttl": "5s", "scope": "user", "stale": {"if_error": "5s"}}},
    "stream": {"stream": True},
    "websocket": {"websocket": True},
    "private-use text": {"headers": {"request": {"set": {"X-A": "\\ue000"}}}},
    "budget": {"budget": {"units": "9/hour"}},
    "budget with a charge": {"budget": {"units": "9/hour", "charge": "X-C"}},
    "base path": {"keep_base_path": True},
    "hosts": {"hosts": ["a.example.com"]},
}
_OF_ROUTES = {"methods", "cache", "stream", "websocket"}
_OF_SERVICES = {"budget", "keep_base_path", "hosts"}


@pytest.mark.parametrize("name", _OTHERS)
def test_all_that_a_path_of_envoy_follows_from_tells_it_apart(name: str) -> None:
    """Services that are alike but for one thing that some say, or some of their routes."""
    more, none = _OTHERS[name], dict[str, Any]()
    plain = {"auth": {"any_of": ["api_key"]}, **({} if {"stream", "websocket"} & more.keys() else _PLAIN)}
    services = []
    for number in range(8):
        odd = more if number >= 4 else none  # by then others have been learned from
        if not _OF_SERVICES & more.keys():
            services.append(_service(f"a{number}", plain, odd))
        if not _OF_ROUTES & more.keys():
            services.append(_service(f"b{number}", {**plain, **odd}, none))
    crowd = gateway(*services, identity={"api_key": {"header": "X-Key", "consumers": [_CONSUMER]}})
    assert _text(crowd) == render(bootstrap(crowd))


_CONSUMER = {"name": "a", "secret": {"env": "KEY"}}


def _service(name: str, plain: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """Paths of all kinds, as long as one another."""
    limits = {"limits": plain["limits"]} if "limits" in plain else {}
    paths = {"a": "/a/{id}", "b": "/b", "c": "/cccc/**", "d": "/ddddddd"}
    routes = [{**route(key, path), **limits, **(more if key in "bd" else {})} for key, path in paths.items()]
    return {"service": name, "owner": f'"{name}" ü', "base_path": f"/{name}", **plain, "routes": routes}


def test_a_limit_s_header_tells_a_path_apart() -> None:
    limits = [{"limits": [{**_LIMIT, "per": {"header": name}}]} for name in ("X-A", "X-B")]
    crowd = gateway(*(_service(f"s{number}", limits[number >= 4], {}) for number in range(8)))
    assert _text(crowd) == render(bootstrap(crowd))


@pytest.mark.parametrize(
    "more",
    [
        {"limits": [{"per": "ip", "rate": "9/s", "burst": 7}]},
        {"concurrency": 3},
        {"defaults": {"auth": "none", "max_body": "5KiB"}},
        {"errors": {"type": "https://other.example.com/"}},
    ],
)
def test_another_platform_is_another_text(more: dict[str, Any]) -> None:
    for platform in ({}, more, {}):
        crowd = gateway(*(_service(f"s{number}", _PLAIN, {}) for number in range(4)), **platform)
        assert _text(crowd) == render(bootstrap(crowd))


def test_paths_that_are_alike_are_printed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise all of the above would be shown of nothing."""
    crowd = gateway(*(_service(f"s{number}", _PLAIN, {}) for number in range(9)))
    for _ in range(3):
        assert _text(crowd) == render(bootstrap(crowd))  # what is there only once is not kept, so twice are needed

    def plainly(*_: object) -> None:
        raise AssertionError

    for owner, name in ((Sheet, "_learned"), (routing, "_forward")):
        monkeypatch.setattr(owner, name, plainly)
    routes = [piece for piece in pieces(crowd, document(crowd)) if isinstance(piece, Part) and "http/" in piece.name]
    assert len(routes) == 9 and all(made(piece).text for piece in routes)
