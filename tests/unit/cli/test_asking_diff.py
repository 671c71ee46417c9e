"""The words of `gwc diff` mean the same with and without typer, and what is not plain is typer's to answer."""

from __future__ import annotations

import random
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import get_type_hints

import pytest

import corpus
from gwc.cli import app as typers
from gwc.cli import asking_diff, diff, diffing
from gwc.cli.asking_diff import AskedDiff, asked_diff
from gwc.cli.exits import ExitCode

PLAIN: tuple[tuple[str, ...], ...] = (
    (),
    ("--against", "HEAD"),
    ("--against=main~2", "--policies", "a", "--policies=b"),
    ("-t", "envoy", "--target", "kong", "--target=nginx"),
    ("--format", "json", "--exit-code", "--exit-code"),
    ("--format=github", "--fail-on", "breaking,added"),
    ("--env=a=b", "--now", "2026-11-23"),
)
NOT_PLAIN: tuple[tuple[str, ...], ...] = (
    ("--help",),
    ("-h",),
    ("--",),
    ("HEAD",),
    ("",),
    ("-",),
    ("--against",),
    ("--against", "live:http://127.0.0.1:1"),
    ("--against", "-"),
    ("--policies", "-"),
    ("--policies=",),
    ("--format", "xml"),
    ("--exit-code=yes",),
    ("--exit-code", "yes"),
    ("-t=envoy",),
    ("-tenvoy",),
    ("--traffic", "log"),
    ("--log-format", "gwc"),
    ("--host", "x"),
    ("--show-users",),
    ("--ag", "HEAD"),
    ("--unknown",),
)
WITH_TRAFFIC = {"traffic", "log_format", "host", "show_users"}


@pytest.fixture
def by_typer(monkeypatch: pytest.MonkeyPatch) -> list[AskedDiff]:
    """What the command was called with."""
    called: list[AskedDiff] = []
    monkeypatch.setattr(diffing, "perform", lambda wanted: called.append(wanted) or ExitCode.OK)
    return called


def through_typer(words: tuple[str, ...]) -> int:
    with pytest.raises(SystemExit) as end:
        typers.app(args=["diff", *words], prog_name="gwc")
    assert isinstance(end.value.code, int)
    return end.value.code


@pytest.mark.parametrize("words", PLAIN)
def test_plain_words_mean_the_same(words: tuple[str, ...], by_typer: list[AskedDiff]) -> None:
    assert through_typer(words) == 0
    assert [asked_diff(words)] == by_typer


def test_words_in_any_order_mean_the_same(by_typer: list[AskedDiff]) -> None:
    chance, pieces = random.Random(1), [piece for words in (*PLAIN, *NOT_PLAIN[10:]) for piece in _pieces(words)]
    read = 0
    for _ in range(200):
        words = tuple(word for piece in chance.sample(pieces, chance.randint(0, 4)) for word in piece)
        if (wanted := asked_diff(words)) is not None:
            by_typer.clear()
            assert through_typer(words) == 0
            assert by_typer == [wanted]
            read += 1
    assert read > 30


def _pieces(words: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Options with their values."""
    alone = [word for word in words if word.startswith("--") and ("=" in word or word == "--exit-code")]
    pairs = [(a, b) for a, b in pairwise(words) if a.startswith("-") and a not in alone]
    return [*((word,) for word in alone), *pairs]


@pytest.mark.parametrize("words", NOT_PLAIN)
def test_what_is_not_plain_is_left_to_typer(words: tuple[str, ...]) -> None:
    assert asked_diff(words) is None


def test_the_options_are_those_of_the_command() -> None:
    declared = set(get_type_hints(diff.diff_command.__wrapped__)) - {"return"}  # type: ignore[attr-defined]
    assert declared == {*AskedDiff._fields} | WITH_TRAFFIC
    tables = (asking_diff._FLAGS, asking_diff._SEVERAL, asking_diff._ONE)
    assert {name for table in tables for name in table.values()} == set(AskedDiff._fields)
    assert tuple(diff.DiffFormat) == asking_diff.FORMATS


def test_a_diff_imports_neither_typer_nor_models(tmp_path: Path) -> None:
    """Counters instead of a clock: imports were a third of what the diff of a thousand services cost."""
    corpus.write(tmp_path / "policies", 2)
    for words in (("init", "-q"), ("add", "."), ("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x")):
        subprocess.run(["git", *words], cwd=tmp_path, check=True, timeout=60)
    changed = tmp_path / "policies/service-0001.yaml"
    changed.write_text(changed.read_text(encoding="utf-8").replace("burst: 60", "burst: 59"), encoding="utf-8")
    command = [sys.executable, "-X", "importtime", "-m", "gwc", "diff", "--against", "HEAD"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert "limits.ip.burst 60 -> 59" in done.stdout
    modules = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert not modules & {"typer", "click", "pydantic", "pydantic_core", "yaml", "jinja2", "jsonschema", "rich"}
    assert not modules & {"urllib.request", "http.client", "ssl", "html", "gwc.manifest", "gwc.observability.alerts"}
