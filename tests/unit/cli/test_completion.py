"""Shell completion, as the shell asks for it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gwc.discovery import target_names

from .conftest import Project

GWC = [sys.executable, "-m", "gwc"]


def _completed(words: str, at: int, directory: Path) -> list[str]:
    asked = {"_GWC_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(at)}
    environ = {**os.environ, **asked}
    done = subprocess.run(GWC, env=environ, cwd=directory, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "at", "expected"),
    [
        ("gwc expl", 1, ["explain"]),
        ("gwc compile --em", 2, ["--emit"]),
        ("gwc compile --emit ", 3, ["files", "ir"]),
        ("gwc run --target ", 3, list(target_names())),
        ("gwc compile -t ng", 3, ["nginx"]),
        ("gwc compile --env ", 3, ["prod", "staging"]),
        ("gwc compile --policies nowhere --env ", 5, []),
        ("gwc rule GWC30", 2, ["GWC301", "GWC302", "GWC303", "GWC304", "GWC305", "GWC306", "GWC307"]),
    ],
)
def test_words_are_completed(project: Project, words: str, at: int, expected: list[str]) -> None:
    assert _completed(words, at, project.path) == expected


def test_a_broken_policy_completes_nothing_and_says_nothing(project: Project) -> None:
    project.write("shop.yaml", "a: [")
    assert _completed("gwc compile --env ", 3, project.path) == []


def test_completion_is_shown_and_installed_for_the_shell_that_asks(tmp_path: Path) -> None:
    environ = {**os.environ, "HOME": str(tmp_path), "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    for option in ("--show-completion", "--install-completion"):
        done = subprocess.run(
            [*GWC, option, "bash"], env=environ, capture_output=True, text=True, timeout=60, check=True
        )
        assert done.stderr == ""
        assert ("_GWC_COMPLETE=complete_bash" in done.stdout) is (option == "--show-completion")
    scripts = [file for file in tmp_path.rglob("*") if file.is_file() and "_GWC_COMPLETE" in file.read_text("utf-8")]
    assert len(scripts) == 1
