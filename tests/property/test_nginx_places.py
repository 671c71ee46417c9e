"""Where NGINX sends a request: routes share a location only where each would say the same by itself, and the table of
nodes leads to the routes that the compiler's order names."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings

from compiling import gateway_of
from gwc.ir import Gateway
from gwc.routing import host_tables
from gwc_nginx import TARGET
from gwc_nginx.conf import written
from gwc_nginx.places import KINDS, places
from gwc_nginx.sections import platform_of
from gwc_nginx.sharing import routes
from property.strategies import policies
from unit.nginx.gateways import gateway, route

from .test_nginx_parts import NEIGHBOURS, own


def kept(name: str, **cache: Any) -> dict[str, Any]:
    return {"service": name, "base_path": f"/{name}", "routes": [{**own(5), "cache": {"ttl": "1m", **cache}}]}


STREAM = route(stream=True, timeouts={"request": "1s", "idle": "9s"})
RICH = (
    *NEIGHBOURS,
    {**kept("e"), "upstream": {"endpoints": [{"url": "https://e.test"}]}},
    kept("f", stale={"while_revalidate": "9s"}),
    kept("g", vary={"headers": ["X-A"]}),
    kept("h"),
    {"service": "i", "base_path": "/i", "routes": [STREAM]},
)


def shared_rightly(built: Gateway) -> int:
    """How many routes share a place of another."""
    platform, found = platform_of(built), places(built)
    every = {name: (service, route) for name, service, route in routes(built)}

    def said(kind: str, name: str) -> list[tuple[str, str]]:
        return [(door.name, written(door.of)) for door in KINDS[kind](platform, *every[name])]

    for name in every:
        assert set(found.of[name]) == {kind for kind in KINDS if said(kind, name)}
        for kind, place in found.of[name].items():
            assert said(kind, name) == said(kind, place), (kind, name, place)
            assert every[place][1] in found.own[kind][every[place][0].name]
    return sum(place != name for name, of in found.of.items() for place in of.values())


def test_routes_share_what_they_would_say_themselves() -> None:
    assert shared_rightly(gateway(*RICH)) > len(NEIGHBOURS)


@settings(max_examples=50)
@given(policies())
def test_so_they_do_in_any_policies(written: dict[str, Any]) -> None:
    shared_rightly(gateway_of(written))


def nodes(built: Gateway) -> dict[str, str]:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len(dict(pairs)) == len(pairs), "a node has one leaf"
        return dict(pairs)

    found: dict[str, str] = json.loads(TARGET.emit(built, "njs").files["gwc.json"].text, object_pairs_hook=once)[
        "nodes"
    ]
    return found


def lead_to_the_routes(built: Gateway) -> None:
    found, seen = nodes(built), set[str]()
    tables = host_tables(built)
    behind = len(tables[-1].entries)
    for table in tables:
        host = "" if table.host is None else f":[{table.host}]" if ":" in table.host else f":{table.host}"
        for entry in table.entries[: len(table.entries) - behind] if table.host else table.entries:
            path = host + "".join("/" + {1: "{}", 2: "{*}"}.get(kind, text) for kind, text in entry.path.shape)
            leaf = found[path].split(" ")
            assert {(m, r) for m, r in zip(leaf[::3], leaf[1::3], strict=True)} == {
                (method, f"{one.service.name}/{one.route.name}") for one in entry.routes for method in one.route.methods
            }
            seen.add(path)
            while "/" in path:
                path = path.rpartition("/")[0]
                assert path in found, "who looks for a node finds those before it"
    assert all(leaf == "" for path, leaf in found.items() if path not in seen)


def test_nodes_lead_to_the_routes() -> None:
    lead_to_the_routes(gateway(*RICH))


@settings(max_examples=50)
@given(policies())
def test_so_they_do_for_any_policies(written: dict[str, Any]) -> None:
    lead_to_the_routes(gateway_of(written))


@pytest.mark.parametrize("services", [1, 3])
def test_a_place_is_named_after_the_first_that_says_it(services: int) -> None:
    built = gateway(*({"service": f"s{n}", "base_path": f"/s{n}", "routes": [own(1)]} for n in range(services)))
    assert {name: set(of.values()) for name, of in places(built).of.items()} == {
        f"s{n}/own": {"s0/own"} for n in range(services)
    }
