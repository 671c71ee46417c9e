"""Bytes that Python has given out in a process of its own, where nothing is remembered of what ran before.

`python traced.py settled FLEET` and `python traced.py built FLEET BUILD` print a number. As commands that end soon run:
without the collector, so that a circle stays and counts.
"""

from __future__ import annotations

import gc
import os
import sys
import tracemalloc
from collections.abc import Callable
from datetime import date
from pathlib import Path

from gwc.cli import run
from gwc.compile import compile_sources
from gwc.diagnostics import Report
from gwc.source import read_policies


def settled(fleet: Path) -> int:
    """What settled services hold, with the texts of their policies."""

    def work() -> object:
        report = Report()
        sources = read_policies(str(fleet / "policies"), report)
        return sources, compile_sources(sources, environment=None, now=date(2026, 11, 23), report=report)

    held, _ = _traced(work)
    return held


def built(fleet: Path, build: Path) -> int:
    """The peak of a build for three targets."""
    os.chdir(fleet)
    os.environ["GWC_CACHE_DIR"] = str(build / "cache")
    numbers = iter(range(2))

    def work() -> object:
        done = run(["compile", "-o", str(build / f"out-{next(numbers)}")])
        assert done == 0
        return done

    _, most = _traced(work)
    return most


def _traced(work: Callable[[], object]) -> tuple[int, int]:
    """Held afterwards, and at most. The first time is for imports."""
    work()
    gc.collect()
    gc.disable()
    tracemalloc.start()
    kept = work()
    found = tracemalloc.get_traced_memory()
    assert kept is not None
    return found


if __name__ == "__main__":
    told, sys.stdout = sys.stdout, sys.stderr
    print({"settled": settled, "built": built}[sys.argv[1]](*map(Path, sys.argv[2:])), file=told)
