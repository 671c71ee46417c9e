"""What it costs to tell the bootstrap in pieces, counted in calls of Python functions: the same on every machine."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from counting import calls
from gwc.ir import Gateway
from gwc.parts import Part, alone, made
from gwc_envoy.alike import Alike
from gwc_envoy.emit import document
from gwc_envoy.printing import render
from gwc_envoy.streaming import pieces
from unit.envoy.policies import gateway, route

SERVICES, ROUTES = 12, 12


@pytest.fixture(scope="module")
def crowd() -> Gateway:
    return gateway(*(_service(f"s{number}") for number in range(SERVICES)))


def _service(name: str) -> dict[str, Any]:
    routes = [route(f"r{number}", f"/{number}/{{id}}", retries={"attempts": 2}) for number in range(ROUTES)]
    return {"service": name, "base_path": f"/{name}", "routes": routes, "limits": [{"per": "ip", "rate": "5/s"}]}


def _told(crowd: Gateway) -> list[Any]:
    return list(pieces(crowd, document(crowd)))


def test_a_service_has_few_parts(crowd: Gateway) -> None:
    parts = [piece for piece in _told(crowd) if isinstance(piece, Part)]
    assert len(parts) == 2 * SERVICES  # its routes, and its clusters


def test_what_has_not_changed_is_hardly_looked_at(crowd: Gateway) -> None:
    """To know what a part follows from takes a small share of what it takes to make it."""
    always = calls(lambda: _told(alone(crowd, crowd.services[0])))
    everything = calls(lambda: [made(piece) for piece in _told(crowd)])
    assert calls(lambda: _told(crowd)) - always < 0.35 * (everything - always)


def test_what_routes_share_is_printed_once(crowd: Gateway) -> None:
    """As plain data, the text that they share would be printed for each of them."""
    routes = next(_entries(piece) for piece in _told(crowd) if isinstance(piece, Part))
    plain = list(map(_plain, routes))
    assert render(routes) == render(plain)
    assert calls(lambda: render(routes)) < 0.7 * calls(lambda: render(plain))


def _entries(part: Part) -> list[Any]:
    """What it is the text of."""
    assert isinstance(part.make, partial)
    crowd, run, *_ = part.make.args
    found = run.make(alone(crowd, run.service), *run.given)
    return [entry for one in found for entry in (one.plainly() if isinstance(one, Alike) else [one])]


def _plain(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _plain(value) for key, value in node.items()}
    return [_plain(value) for value in node] if isinstance(node, list) else node
