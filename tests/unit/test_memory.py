"""How much memory a compile takes for each further service: bytes that Python has given out, which no busy machine
changes. What is bounded, such as texts that are remembered, counts here as if it grew for ever.
"""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import corpus
from compiling import NOW
from gwc.cli import run
from gwc.compile import compile_sources
from gwc.diagnostics import Report
from gwc.ir import Gateway
from gwc.source import Source, read_policies

FEW, MANY = 20, 60  # a second process would begin at a hundred
KIB = 1024
MOST_SETTLED = 18
"""KiB of one more service of 5 to 14 routes, with the text of its policy."""
MOST_BUILT = 30
"""KiB at the peak of a build for three targets."""


@pytest.fixture(scope="module")
def fleets(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    few, many = (tmp_path_factory.mktemp("corpus") for _ in range(2))
    corpus.write(few / "policies", FEW)
    corpus.write(many / "policies", MANY)
    return few, many


@contextmanager
def traced() -> Iterator[None]:
    """As commands that end soon run: without the collector, so that a circle stays and counts."""
    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        yield
    finally:
        tracemalloc.stop()
        gc.enable()


def _settled(fleet: Path) -> tuple[tuple[Source, ...], Gateway]:
    report = Report()
    sources = read_policies(str(fleet / "policies"), report)
    gateway = compile_sources(sources, environment=None, now=NOW, report=report)
    assert gateway is not None
    return sources, gateway


def _held(fleet: Path) -> int:
    with traced():
        kept = _settled(fleet)
        held, _ = tracemalloc.get_traced_memory()
        assert kept
        return held


def test_settled_services_are_small(fleets: tuple[Path, Path]) -> None:
    _settled(fleets[1])  # imports what all need
    few, many = map(_held, fleets)
    assert (many - few) / (MANY - FEW) / KIB < MOST_SETTLED


def test_a_build_takes_little_memory_for_one_more_service(
    fleets: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def peak(fleet: Path, build: Path) -> int:
        monkeypatch.chdir(fleet)
        monkeypatch.delenv("GWC_NO_CACHE", raising=False)
        monkeypatch.setenv("GWC_CACHE_DIR", str(build / "cache"))
        with traced():
            assert run(["compile", "-o", str(build / "out")]) == 0
            return tracemalloc.get_traced_memory()[1]

    peak(fleets[0], tmp_path / "first")  # imports what all need
    few, many = peak(fleets[0], tmp_path / "few"), peak(fleets[1], tmp_path / "many")
    assert (tmp_path / "many" / "cache").is_dir()
    assert (many - few) / (MANY - FEW) / KIB < MOST_BUILT
