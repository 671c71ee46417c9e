"""How much memory a compile takes for each further service: bytes that Python has given out, which no busy machine
changes. What is bounded, such as texts that are remembered, counts here as if it grew for ever.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import corpus
import traced

FEW, MANY = 20, 60  # a second process would begin at a hundred
KIB = 1024
MOST_SETTLED = 22
"""KiB of one more service of 5 to 14 routes, with the text of its policy."""
MOST_BUILT = 30
"""KiB at the peak of a build for three targets."""


@pytest.fixture(scope="module")
def fleets(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    few, many = (tmp_path_factory.mktemp("corpus") for _ in range(2))
    corpus.write(few / "policies", FEW)
    corpus.write(many / "policies", MANY)
    return few, many


def _bytes(*words: object) -> int:
    """Apart: what other tests have left in the memories of this process would be given back, or be missing."""
    environ = {name: value for name, value in os.environ.items() if name != "GWC_NO_CACHE"}
    command = [sys.executable, traced.__file__, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, env=environ, check=False)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def test_settled_services_are_small(fleets: tuple[Path, Path]) -> None:
    few, many = (_bytes("settled", fleet) for fleet in fleets)
    assert (many - few) / (MANY - FEW) / KIB < MOST_SETTLED


def test_a_build_takes_little_memory_for_one_more_service(fleets: tuple[Path, Path], tmp_path: Path) -> None:
    few, many = (_bytes("built", fleet, tmp_path / fleet.name) for fleet in fleets)
    assert all((tmp_path / fleet.name / "cache").is_dir() for fleet in fleets)
    assert (many - few) / (MANY - FEW) / KIB < MOST_BUILT
