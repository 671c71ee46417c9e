"""What linting costs, in counters that no busy machine changes: calls, files opened, texts read strictly.

A loop over all routes inside a loop over all routes, or a look at a place where nothing is found, shows at once.
"""

from __future__ import annotations

import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

import corpus
from counting import calls
from gwc import plain
from gwc.diagnostics import Report
from gwc.lint import run
from gwc.lint.registry import RULES
from gwc.source import Source, read_policies

NOW = date(2026, 11, 23)
FEW, MANY = 10, 60
BOUND = 6.5
"""Of the calls for six times the services; 6 is linear, and less is what services share."""
MOST_CALLS = 2_000
"""Of one more service of the corpus, with its 5 to 14 routes, in two environments and by all rules."""


@pytest.fixture(scope="module")
def fleets(tmp_path_factory: pytest.TempPathFactory) -> tuple[tuple[Source, ...], tuple[Source, ...]]:
    few, many = (_fleet(tmp_path_factory.mktemp("corpus") / "policies", number) for number in (FEW, MANY))
    lint(few), lint(many)  # imports what all need, and remembers lines
    return few, many


def _fleet(directory: Path, services: int) -> tuple[Source, ...]:
    corpus.write(directory, services)
    return read_policies(str(directory), Report())


def lint(sources: tuple[Source, ...]) -> None:
    report = Report()
    run.lint_sources(sources, RULES, environment=None, now=NOW, report=report)
    assert report.diagnostics == ()


def test_the_cost_grows_with_the_services(fleets: tuple[tuple[Source, ...], tuple[Source, ...]]) -> None:
    few, many = (calls(lambda fleet=fleet: lint(fleet)) for fleet in fleets)
    assert many / few < BOUND
    assert (many - few) / (MANY - FEW) < MOST_CALLS


def test_nothing_is_read_strictly(
    fleets: tuple[tuple[Source, ...], tuple[Source, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gwc.composer.Composer.document", lambda self: pytest.fail(f"{self._file} was read for places"))
    lint(fleets[1])
    assert all(plain.read(source.text) is not None for source in fleets[1])


_COUNTING = """
import collections, os, sys
opened = collections.Counter()
def watch(event, args):
    if event == "open" and isinstance(args[0], str):
        opened[args[0]] += 1
sys.addaudithook(watch)
from gwc.cli import run
assert run(["lint", "policies"]) == 0
counted = {name: times for name, times in opened.items() if name.startswith("policies/")}
keys = counted.pop("policies/keys.json")
sys.exit(0 if len(counted) == 11 and set(counted.values()) == {1} and keys == 2 else repr(counted))
"""


def test_each_file_is_opened_once(tmp_path: Path) -> None:
    """Ten services and the platform; its keys in both environments, which could name others."""
    corpus.write(tmp_path / "policies", 10)
    command = [sys.executable, "-c", _COUNTING]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (0, "no findings\n", "")
