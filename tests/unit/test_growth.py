"""What a compile costs grows with the services, not with their square.

Counted are the calls of Python functions: the same on every machine, and a loop over all routes inside a loop over all
routes shows in them at once.
"""

from __future__ import annotations

from pathlib import Path

import pytest

import corpus
from compiling import NOW
from counting import calls
from gwc.compile import Rendered, compile_sources, render
from gwc.diagnostics import Report
from gwc.discovery import load_targets
from gwc.ir import Gateway
from gwc.source import read_policies

FEW, MANY = 10, 60
BOUND = 6.5
"""Of the calls for six times the services; 6 is linear. A question of each route to each other gave 8 and more."""


@pytest.fixture(scope="module")
def gateways(tmp_path_factory: pytest.TempPathFactory) -> tuple[Gateway, Gateway]:
    few, many = (_gateway(tmp_path_factory.mktemp("corpus") / "policies", number) for number in (FEW, MANY))
    return few, many


def _gateway(directory: Path, services: int) -> Gateway:
    corpus.write(directory, services)
    report = Report()
    gateway = compile_sources(read_policies(str(directory), report), environment=None, now=NOW, report=report)
    assert gateway is not None
    return gateway


@pytest.mark.parametrize("target", ["envoy", "kong", "nginx"])
def test_rendering_grows_with_the_services(target: str, gateways: tuple[Gateway, Gateway]) -> None:
    few, many = gateways
    _texts(few, target), _texts(many, target)  # imports what all need, and looks up where things are written
    assert calls(lambda: _texts(many, target)) / calls(lambda: _texts(few, target)) < BOUND


@pytest.mark.parametrize("target", ["envoy", "kong", "nginx"])
def test_outputs_grow_with_the_services(target: str, gateways: tuple[Gateway, Gateway]) -> None:
    few, many = (sum(map(len, _texts(gateway, target))) for gateway in gateways)
    assert many / few < MANY / FEW


def _texts(gateway: Gateway, target: str) -> list[str]:
    return [output.text for one in _render(gateway, target) for output in one.artifact.files.values()]


def _render(gateway: Gateway, target: str) -> tuple[Rendered, ...]:
    rendered = render(gateway, load_targets([target]), Report())
    assert rendered is not None
    return rendered
