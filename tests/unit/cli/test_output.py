"""The build directory's transaction: all of a plan, or nothing of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gwc.cli.output import NewFile, OutputError, carry_out, plan
from gwc.cli.transaction import Mode

OLD = {"a/one": NewFile("1"), "a/two": NewFile("2"), "b/three": NewFile("3"), "b/e/five": NewFile("5")}
NEW = {"a/one": NewFile("one"), "c/d/four": NewFile("4", Mode(executable=True)), "a/two": NewFile("2")}


def _tree(directory: Path) -> dict[str, str]:
    return {str(p.relative_to(directory)): p.read_text() for p in directory.rglob("*") if p.is_file()}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    build = tmp_path / "build"
    carry_out(plan(build, OLD, frozenset()))
    return build


def test_a_plan_names_the_changes(directory: Path) -> None:
    changes = plan(directory, NEW, frozenset(OLD))
    assert (changes.stale, changes.missing, changes.extra) == (("a/one",), ("c/d/four",), ("b/e/five", "b/three"))
    assert changes.unchanged == 1
    carry_out(changes)
    assert _tree(directory) == {"a/one": "one", "a/two": "2", "c/d/four": "4"}
    assert not (directory / "b").exists()
    assert plan(directory, NEW, frozenset(NEW)).empty


STEPS = 8  # two files staged, two directories made, two files put in place, two removed


@pytest.mark.parametrize("failing", range(1, STEPS + 1))
def test_any_failure_undoes_everything(directory: Path, monkeypatch: pytest.MonkeyPatch, failing: int) -> None:
    before, calls = _tree(directory), iter(range(1, 100))

    def fail(real):  # type: ignore[no-untyped-def]
        def replacement(*args, **kwargs):  # type: ignore[no-untyped-def]
            if next(calls) == failing:
                raise OSError(28, "No space left on device", "somewhere")
            return real(*args, **kwargs)

        return replacement

    changes = plan(directory, NEW, frozenset(OLD))
    with monkeypatch.context() as patched:
        for owner, name in ((Path, "mkdir"), (os, "open"), (Path, "replace"), (Path, "unlink")):
            patched.setattr(owner, name, fail(getattr(owner, name)))
        with pytest.raises(OutputError, match="somewhere: No space left on device"):
            carry_out(changes)
    assert _tree(directory) == before
    assert sorted(p.name for p in directory.iterdir()) == ["a", "b"]


def test_an_interrupt_undoes_everything(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = _tree(directory)

    def interrupted(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", interrupted)
        with pytest.raises(KeyboardInterrupt):
            carry_out(plan(directory, {"z/new": NewFile("x")}, frozenset()))
    assert _tree(directory) == before
    assert not (directory / "z").exists()


def test_a_directory_in_the_way_of_a_file(directory: Path) -> None:
    (directory / "a/two").unlink()
    (directory / "a/two").mkdir()
    before = _tree(directory)
    with pytest.raises(OutputError, match="a/two"):
        carry_out(plan(directory, NEW, frozenset(OLD)))
    assert _tree(directory) == before


def test_a_new_directory_goes_again(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file"):
        carry_out(plan(tmp_path / "file" / "build", OLD, frozenset()))
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_what_killed_runs_left_is_swept_up(directory: Path) -> None:
    """Not what a run at this moment drafts, nor what only looks like it."""
    for name in (".gwc-old", ".gwc-new", ".other"):
        (directory / name).mkdir()
        (directory / name / "new-1").write_text("half")
    (directory / ".gwc-file").write_text("somebody's")
    for name in (".gwc-old", ".other", ".gwc-file"):
        os.utime(directory / name, (1, 1))
    carry_out(plan(directory, {**OLD, "z": NewFile("z")}, frozenset(OLD)))
    assert sorted(path.name for path in directory.iterdir()) == [".gwc-file", ".gwc-new", ".other", "a", "b", "z"]
