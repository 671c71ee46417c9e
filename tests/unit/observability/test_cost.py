"""What stands beside every target's files costs little: texts that follow from the same are made once.

Counted are the calls of Python functions, for each route of the corpus. Made anew for each service, records took 325
and dashboards 9. Of the 94 that alerts take, 80 are for the lines of the policies that they name: where something is
written is not kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pytest

import corpus
from compiling import NOW
from counting import calls
from gwc.compile import compile_sources
from gwc.diagnostics import Report
from gwc.ir import Gateway
from gwc.observability import emit
from gwc.observability.metrics import FAMILIES
from gwc.parts import Assembled, made
from gwc.record import record_file
from gwc.source import read_policies

SERVICES = 40


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Gateway:
    directory = tmp_path_factory.mktemp("corpus") / "policies"
    corpus.write(directory, SERVICES)
    report = Report()
    found = compile_sources(read_policies(str(directory), report), environment=None, now=NOW, report=report)
    assert found is not None
    return found


def beside(gateway: Gateway) -> dict[str, list[Assembled]]:
    files = emit.files(gateway, frozenset(FAMILIES))
    boards = [file for path, file in files.items() if path != emit.ALERTS]
    return {"record": [record_file("a", "b", gateway)], "alerts": [files[emit.ALERTS]], "dashboards": boards}


def make(files: Iterable[Assembled]) -> None:
    for file in files:
        for piece in file.pieces():
            made(piece)


@pytest.mark.parametrize(("kind", "most"), [("record", 32), ("alerts", 130), ("dashboards", 8)])
def test_making_is_cheap(gateway: Gateway, kind: str, most: float) -> None:
    make(beside(gateway)[kind])  # what is alike is made once
    assert calls(lambda: make(beside(gateway)[kind])) / _routes(gateway) < most


def test_telling_the_pieces_is_cheaper_still(gateway: Gateway) -> None:
    """All that is left to do for a service that is as it was before."""
    files = [file for found in beside(gateway).values() for file in found]
    assert calls(lambda: _tell(files)) / SERVICES < 50


def _tell(files: Sequence[Assembled]) -> None:
    for file in files:
        for _ in file.pieces():
            pass


def _routes(gateway: Gateway) -> int:
    return sum(len(service.routes) for service in gateway.services)
