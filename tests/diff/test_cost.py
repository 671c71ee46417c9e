"""What a comparison with a revision costs, in counters that no busy machine changes.

One of many services has changed: the others are read, settled and checked once, for both sides, and compared never.
"""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest

import corpus
from counting import calls
from gwc import compile, git, resolve
from gwc.cli.asking_diff import AskedDiff
from gwc.cli.diffing import perform
from gwc.diagnostics import Report
from gwc.diff import routes, services, surface
from gwc.lint import run
from gwc.source import read_policies

FEW, MANY = 10, 60
BOUND = 6.5
"""Of the calls for six times the services; 6 is linear."""
LINT = 1.3
"""Of the calls that linting the same services takes, in two environments and by all rules."""
GIT = ("git", "-c", "user.name=a", "-c", "user.email=a@example.com")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Goes to one of so many services, in which one of them has changed since the last commit."""

    def go(number: int) -> None:
        top = tmp_path / str(number)
        corpus.write(top / "policies", number)
        for words in (("init", "-q"), ("add", "."), ("commit", "-qm", "x")):
            subprocess.run((*GIT, *words), cwd=top, check=True, timeout=60)
        changed = top / "policies/service-0001.yaml"
        changed.write_text(changed.read_text(encoding="utf-8").replace("burst: 60", "burst: 59"), encoding="utf-8")
        monkeypatch.chdir(top)

    return go


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """How often each stage was entered, and how many objects git was asked for."""
    seen: Counter[str] = Counter()
    for module, name in (
        (compile, "quick_variants"),
        (resolve, "resolve_service"),
        (services, "service"),
        (routes, "route"),
        (surface, "Asked"),
    ):
        monkeypatch.setattr(module, name, _counting(seen, name, getattr(module, name)))
    contents = git._contents
    monkeypatch.setattr(git, "_contents", lambda ids, top: seen.update(objects=len(ids)) or contents(ids, top))
    yield seen


def _counting(seen: Counter[str], name: str, call: Callable[..., object]) -> Callable[..., object]:
    def counting(*words: object, **named: object) -> object:
        seen[name] += 1
        return call(*words, **named)

    return counting


def _diff() -> None:
    perform(AskedDiff("HEAD", now="2026-11-23"))


def test_what_is_the_same_is_settled_once_and_compared_never(
    repository: Callable[[int], None], counted: Counter[str], capsys: pytest.CaptureFixture[str]
) -> None:
    repository(FEW)
    _diff()
    assert "limits.ip.burst 60 -> 59" in capsys.readouterr().out
    assert counted.pop("route") <= 14, "a service has 5 to 14 of them"
    assert counted.pop("Asked") <= 14 * 2, "of two methods at most"
    assert counted == {
        "quick_variants": (FEW + 1) + 3,  # the old text of one, to see what it is and to read it; the old platform's
        "resolve_service": FEW + 1,
        "service": 1,
        "objects": 1,
    }


def test_the_cost_grows_with_the_services_and_is_near_that_of_linting_them(repository: Callable[[int], None]) -> None:
    costs = []
    for number in (FEW, MANY):
        repository(number)
        _diff(), _lint()  # imports what all need, and remembers lines
        costs.append((calls(_diff), calls(_lint)))
    (few, _), (many, linting) = costs
    assert many / few < BOUND
    assert many / linting < LINT


def _lint() -> None:
    report = Report()
    run.lint_sources(read_policies("policies", report), None, environment=None, now=date(2026, 11, 23), report=report)
    assert report.diagnostics == ()
