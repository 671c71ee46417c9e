"""What is printed once for services that differ in words alone is what each of them is printed as by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiling import gateway_of
from gwc.holes import Sheet
from gwc.ir import Gateway
from gwc.parts import Part, Piece, made
from gwc_envoy import emit as bootstrap
from gwc_envoy import routing as envoy_routing
from gwc_envoy.printing import render
from gwc_envoy.streaming import pieces as envoy
from gwc_kong import services as kong_services
from gwc_kong.document import document
from gwc_kong.pieces import pieces as kong
from gwc_kong.plugin import ServiceConfig
from gwc_kong.yaml_text import text
from property.strategies import labels, one_line, policies, rates
from unit.envoy.policies import gateway, route

Policies = Mapping[str, Any]
Pieces = Callable[[Gateway], Iterable[Piece]]
Whole = Callable[[Gateway], str]
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
def test_what_is_alike_is_printed_as_each_is(written: Policies) -> None:
    crowd = gateway_of(written)
    for _ in range(2):  # what was printed for one is still known in the second round
        for pieces, whole in TARGETS.values():
            assert _text(pieces(crowd)) == whole(crowd)


TARGETS: dict[str, tuple[Pieces, Whole]] = {
    "envoy": (lambda crowd: envoy(crowd, bootstrap.document(crowd)), lambda crowd: render(bootstrap.bootstrap(crowd))),
    "kong": (lambda crowd: kong(crowd, "plugin"), lambda crowd: text(document(crowd, "plugin"))),
}
"""What each target tells in pieces, and the same made as a whole."""
every_target = pytest.mark.parametrize(("pieces", "whole"), TARGETS.values(), ids=[*TARGETS])


def _text(pieces: Iterable[Piece]) -> str:
    found = [*map(made, pieces)]
    assert all(piece.fit for piece in found)
    return "".join([piece.text for piece in found])


_LIMIT = {"per": "ip", "rate": "5/s", "burst": 7}
_ENDPOINTS = [{"url": "http://127.0.0.1:8001"}, {"url": "http://127.0.0.1:8002"}]
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
    "concurrency": {"upstream": {"endpoints": _ENDPOINTS, "concurrency": 5}},
    "breaker": {"upstream": {"endpoints": _ENDPOINTS, "breaker": {"failures": 3, "open": "5s"}}},
    "health": {"upstream": {"endpoints": _ENDPOINTS, "health": {"path": "/up", "every": "5s"}}},
    "weight": {"upstream": {"endpoints": [{**_ENDPOINTS[0], "weight": 7}, _ENDPOINTS[1]]}},
    "endpoints": {"upstream": {"endpoints": [*_ENDPOINTS, {"url": "http://localhost:7777"}]}},
    "hosts of IPv6": {"upstream": {"endpoints": [{"url": "http://[::1]:8001"}, {"url": "http://[2001:db8::1]:8002"}]}},
    "ports": {"upstream": {"endpoints": [{"url": "http://127.0.0.1:65535"}, {"url": "http://127.0.0.1:1"}]}},
    "tls": {"upstream": {"endpoints": [{"url": "https://localhost:8443"}, {"url": "https://localhost"}], "tls": {}}},
    "hosts": {"hosts": ["a.example.com"]},
}
_OF_ROUTES = {"methods", "cache", "stream", "websocket"}
_OF_SERVICES = {"upstream", "budget", "keep_base_path", "hosts"}


@every_target
@pytest.mark.parametrize("name", _OTHERS)
def test_all_that_a_route_follows_from_tells_it_apart(name: str, pieces: Pieces, whole: Whole) -> None:
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
    assert _text(pieces(crowd)) == whole(crowd)


_CONSUMER = {"name": "a", "secret": {"env": "KEY"}}


def _service(name: str, plain: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """Paths of all kinds, as long as one another."""
    limits = {"limits": plain["limits"]} if "limits" in plain else {}
    paths = {"a": "/a/{id}", "b": "/b", "c": "/cccc/**", "d": "/ddddddd"}
    routes = [{**route(key, path), **limits, **(more if key in "bd" else {})} for key, path in paths.items()]
    plain = {"upstream": {"endpoints": _ENDPOINTS}, **plain}
    return {"service": name, "owner": f'"{name}" ü', "base_path": f"/{name}", **plain, "routes": routes}


@every_target
@pytest.mark.parametrize(
    "more",
    [
        *({"ttl": ttl} for ttl in ("1ms", "1.5s", "365d")),
        {"negative_ttl": "5s"},
        {"vary": {"query": ["a"]}},
        {"vary": {"headers": ["X-A"]}},
        {"stale": {"if_error": "5s"}},
        {"stale": {"while_revalidate": "5s"}},
    ],
)
def test_all_of_a_cache_tells_a_route_apart(more: dict[str, Any], pieces: Pieces, whole: Whole) -> None:
    caches = [{"cache": {"ttl": "5s"}}, {"cache": {"ttl": "5s"} | more}]
    crowd = gateway(*(_service(f"s{number}", caches[number >= 4], {}) for number in range(8)))
    assert _text(pieces(crowd)) == whole(crowd)


@every_target
def test_a_limit_s_header_tells_a_route_apart(pieces: Pieces, whole: Whole) -> None:
    limits = [{"limits": [{**_LIMIT, "per": {"header": name}}]} for name in ("X-A", "X-B")]
    crowd = gateway(*(_service(f"s{number}", limits[number >= 4], {}) for number in range(8)))
    assert _text(pieces(crowd)) == whole(crowd)


@every_target
@pytest.mark.parametrize(
    "more",
    [
        {"limits": [{"per": "ip", "rate": "9/s", "burst": 7}]},
        {"concurrency": 3},
        {"defaults": {"auth": "none", "max_body": "5KiB"}},
        {"errors": {"type": "https://other.example.com/"}},
    ],
)
def test_another_platform_is_another_text(more: dict[str, Any], pieces: Pieces, whole: Whole) -> None:
    for platform in ({}, more, {}):
        crowd = gateway(*(_service(f"s{number}", _PLAIN, {}) for number in range(4)), **platform)
        assert _text(pieces(crowd)) == whole(crowd)


_LONG_WAY = {"envoy": [(envoy_routing, "_forward")], "kong": [(ServiceConfig, "row"), (kong_services, "_reached")]}


@pytest.mark.parametrize("target", TARGETS)
def test_what_is_alike_is_printed_once(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise all of the above would be shown of nothing."""
    pieces, whole = TARGETS[target]
    crowd = gateway(*(_service(f"s{number}", _PLAIN, {}) for number in range(9)))
    for _ in range(3):
        assert _text(pieces(crowd)) == whole(crowd)  # what is there only once is not kept, so twice are needed
    texts = _routes(pieces(crowd))

    def plainly(*_: object) -> None:
        raise AssertionError

    for owner, name in ((Sheet, "_learned"), *_LONG_WAY[target]):
        monkeypatch.setattr(owner, name, plainly)
    assert len(texts) == (9 if target == "envoy" else 18) and _routes(pieces(crowd)) == texts


def _routes(pieces: Iterable[Piece]) -> list[str]:
    parts = [piece for piece in pieces if isinstance(piece, Part)]
    return [part.make().text for part in parts if part.name.startswith(("http/", "services", "plugin"))]
