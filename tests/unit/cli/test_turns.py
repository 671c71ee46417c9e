"""Runs that write into one build directory take turns, and a reader waits for a writer."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from compiling import POLICIES
from gwc.cli import turns
from gwc.cli.turns import turn

WAITING = "another run of gwc writes into"


def _compile(build: Path, *words: str) -> subprocess.Popen[str]:
    command = (sys.executable, "-m", "gwc", "compile", "--policies", str(POLICIES), "-o", str(build), *words)
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


@contextmanager
def _held(build: Path) -> Iterator[None]:
    descriptor = os.open(build, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _heard(run: subprocess.Popen[str], text: str) -> None:
    assert run.stderr is not None
    assert any(text in line for line in run.stderr), f"it never said: {text}"


def test_what_one_run_wrote_is_not_forgotten_by_another(tmp_path: Path) -> None:
    build = tmp_path / "build"
    build.mkdir()
    with _held(build):
        runs = [_compile(build, "--target", target) for target in ("envoy", "nginx")]
        for run in runs:
            _heard(run, WAITING)
        assert not any(build.iterdir())
    for run in runs:
        run.communicate()
        assert run.returncode == 0
    manifest = json.loads((build / "manifest.json").read_text())
    assert manifest["targets"].keys() == {"envoy", "nginx"}


def test_a_check_waits_for_a_writer(tmp_path: Path) -> None:
    build = tmp_path / "build"
    done = _compile(build)
    done.communicate()
    assert done.returncode == 0
    with _held(build):
        check = _compile(build, "--check", "--no-cache")
        _heard(check, WAITING)
        assert check.poll() is None
    check.communicate()
    assert check.returncode == 0


def test_readers_do_not_wait_for_each_other(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with turn(tmp_path, writing=False), turn(tmp_path, writing=False):
        pass
    assert capfd.readouterr().err == ""


def test_directories_that_nothing_came_into_are_gone(tmp_path: Path) -> None:
    with turn(tmp_path / "a" / "b", writing=True):
        assert (tmp_path / "a" / "b").is_dir()
    assert not any(tmp_path.iterdir())
    with turn(tmp_path / "a" / "b", writing=True):
        (tmp_path / "a" / "b" / "file").touch()
    assert (tmp_path / "a" / "b" / "file").exists()


def test_a_directory_goes_before_it_is_the_next_run_s_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise that run would begin in it, and lose it while it writes."""
    tries: list[bool] = []
    monkeypatch.setattr(turns, "remove_empty", lambda made: tries.extend(map(_is_free, made)))
    with turn(tmp_path / "build", writing=True):
        pass
    assert tries == [False] and _is_free(tmp_path / "build")


def _is_free(build: Path) -> bool:
    descriptor = os.open(build, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


def test_a_reader_makes_nothing(tmp_path: Path) -> None:
    with turn(tmp_path / "a", writing=False):
        assert not any(tmp_path.iterdir())


def test_what_is_no_directory_is_left_to_whoever_writes(tmp_path: Path) -> None:
    (tmp_path / "build").write_text("a file")
    with turn(tmp_path / "build" / "below", writing=True), turn(tmp_path / "build", writing=True):
        assert (tmp_path / "build").read_text() == "a file"


def test_a_directory_that_went_while_it_was_waited_for_is_made_again(tmp_path: Path) -> None:
    """The run before it had made it, wrote nothing, and took it away."""
    build = tmp_path / "build"
    build.mkdir()
    with _held(build):
        run = _compile(build, "--target", "nginx")
        _heard(run, WAITING)
        build.rmdir()
    run.communicate()
    assert run.returncode == 0
    assert (build / "manifest.json").is_file()
