"""Two processes do what one would do, in the same order, and nothing is lost with one of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gwc.cli.together import divided, pays

pytestmark = pytest.mark.skipif(not pays(), reason="needs Linux and two processors")


def _descriptors() -> int:
    return len([*Path("/proc/self/fd").iterdir()])


@pytest.mark.parametrize("number", [0, 1, 2, 100, 20_000])
def test_everything_is_done_once_and_in_order(number: int) -> None:
    before = _descriptors()
    assert divided(range(number), lambda item: item * 2) == [item * 2 for item in range(number)]
    assert _descriptors() == before


def test_both_take_part(tmp_path: Path) -> None:
    def work(item: int) -> int:
        (tmp_path / str(os.getpid())).touch()
        while len(list(tmp_path.iterdir())) < 2:
            os.sched_yield()
        return os.getpid()

    assert len(set(divided(range(4), work))) == 2


def test_an_exception_is_that_of_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where it was the other process that met it first, and nobody is left behind."""
    fork, started = os.fork, list[int]()

    def forked() -> int:
        started.append(fork())
        return started[-1]

    monkeypatch.setattr(os, "fork", forked)

    def work(item: int) -> int:
        if item == 7:
            raise OSError(28, "No space left on device", "somewhere")
        return item

    with pytest.raises(OSError, match="No space left"):
        divided(range(20), work)
    (helper,) = started
    with pytest.raises(ProcessLookupError):
        os.kill(helper, 0)


def _killed(parent: int) -> Callable[[int], int]:
    def work(item: int) -> int:
        if os.getpid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)
        return item

    return work


def test_the_other_process_may_die() -> None:
    assert divided(range(50), _killed(os.getpid())) == list(range(50))


def test_what_cannot_be_told_is_done_again() -> None:
    found = divided(range(5), lambda item: lambda: item)
    assert [make() for make in found] == list(range(5))


_PROGRAM = """
import os, sys, time
from gwc.cli.together import divided

def work(number):
    with open(os.path.join(sys.argv[1], str(os.getpid())), "w"):
        time.sleep(0.02)
    return "x" * 200_000

divided(range(10**5), work)
"""


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="looks processes up in /proc")
def test_the_other_process_ends_with_the_first(tmp_path: Path) -> None:
    """However that ends: nobody would ever hear of a process that goes on, or waits to tell what it has done."""
    with subprocess.Popen([sys.executable, "-c", _PROGRAM, str(tmp_path)]) as first:
        try:
            _wait(lambda: len(list(tmp_path.iterdir())) == 2)
        finally:
            first.kill()
    (helper,) = (path.name for path in tmp_path.iterdir() if path.name != str(first.pid))
    try:
        _wait(lambda: not _runs(helper))
    finally:
        if _runs(helper):
            os.kill(int(helper), signal.SIGKILL)


def _wait(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _runs(process: str) -> bool:
    try:
        return Path("/proc", process, "stat").read_text().rpartition(") ")[2][0] != "Z"
    except FileNotFoundError:
        return False
