"""The words of `gwc lint` mean the same with and without typer, and what is not plain is typer's to answer."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path
from typing import get_type_hints

import pytest

from gwc.cli import app as typers
from gwc.cli import asking, lint, linting
from gwc.cli.asking import Asked, asked
from gwc.cli.exits import ExitCode
from lint.rules import KEYS, sources

PLAIN: tuple[tuple[str, ...], ...] = (
    (),
    ("policies",),
    ("a.yaml", "b.yaml", "-"),
    ("--format", "json", "a.yaml"),
    ("--format=sarif", "a.yaml", "--format", "text"),
    ("--select", "GWC3,GWC4", "--select=no-owner", "--ignore", "GWC405"),
    ("--fix", "--diff", "a"),
    ("--fail-on", "error", "--baseline", "known.json", "--services", "services", "--env", "prod"),
    ("--write-baseline=known.json", "--changed", "main", "--now", "2026-11-23", "--no-cache"),
    ("--env=a=b",),
)
NOT_PLAIN: tuple[tuple[str, ...], ...] = (
    ("--help",),
    ("-h",),
    ("--",),
    ("--format",),
    ("--format", "xml"),
    ("--format=JSON",),
    ("--fix=yes",),
    ("--fail-on=info",),
    ("--env", "--fix"),
    ("--env", ""),
    ("--env=",),
    ("--sel", "GWC3"),
    ("-f", "json"),
    ("",),
    ("--unknown",),
)


@pytest.fixture
def by_typer(monkeypatch: pytest.MonkeyPatch) -> list[Asked]:
    """What the command was called with."""
    called: list[Asked] = []
    monkeypatch.setattr(linting, "perform", lambda wanted: called.append(wanted) or ExitCode.OK)
    return called


def through_typer(words: tuple[str, ...]) -> int:
    with pytest.raises(SystemExit) as end:
        typers.app(args=["lint", *words], prog_name="gwc")
    assert isinstance(end.value.code, int)
    return end.value.code


@pytest.mark.parametrize("words", PLAIN)
def test_plain_words_mean_the_same(words: tuple[str, ...], by_typer: list[Asked]) -> None:
    assert through_typer(words) == 0
    assert [asked(words)] == by_typer


def test_words_in_any_order_mean_the_same(by_typer: list[Asked]) -> None:
    chance = random.Random(1)
    pieces = [
        ("a.yaml",),
        ("b",),
        ("--fix",),
        ("--format", "json"),
        ("--format=text",),
        ("--select", "x"),
        ("--env=p",),
    ]
    pieces += [
        ("--env=p",),
        ("--select=y,z",),
        ("--now", "n"),
        ("--no-cache",),
        ("--ignore", "-x"),
        ("--diff",),
        ("-",),
        ("--bad",),
    ]
    for _ in range(150):
        words = tuple(word for piece in chance.sample(pieces, chance.randint(0, 6)) for word in piece)
        if (wanted := asked(words)) is not None:
            by_typer.clear()
            assert through_typer(words) == 0
            assert by_typer == [wanted]


@pytest.mark.parametrize("words", NOT_PLAIN)
def test_what_is_not_plain_is_left_to_typer(words: tuple[str, ...]) -> None:
    assert asked(words) is None


def test_the_options_are_those_of_the_command() -> None:
    declared = {name for name in get_type_hints(lint.lint_command.__wrapped__) if name not in ("return", "no_cache")}  # type: ignore[attr-defined]
    assert {name if name != "path" else "paths" for name in declared} == set(Asked._fields)
    known = {*asking._FLAGS.values(), *asking._SEVERAL.values(), *asking._ONE.values(), "paths"} - {""}
    assert known == set(Asked._fields)
    assert tuple(lint.LintFormat) == asking.FORMATS
    assert tuple(lint.FailOn) == asking.SEVERITIES


def test_linting_a_file_that_is_right_imports_little(tmp_path: Path) -> None:
    """Counters instead of a clock: what is imported decides what one file costs."""
    (tmp_path / "policies").mkdir()
    for source in sources(""):
        (tmp_path / source.name).write_text(source.text)
    (tmp_path / "policies/keys.json").write_text(KEYS)
    command = [sys.executable, "-X", "importtime", "-m", "gwc", "lint", "policies/shop.yaml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert done.stdout == "no findings\n"
    modules = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    heavy = {"typer", "click", "pydantic", "pydantic_core", "yaml", "jinja2", "jsonschema", "rich", "httpx", "asyncio"}
    assert not modules & {*heavy, "subprocess", "importlib.metadata", "tempfile", "email", "tomllib", "traceback"}
    assert not modules & {"dataclasses", "inspect", "pathlib", "urllib.parse", "ipaddress", "hashlib", "ast", "decimal"}
    assert not any(name.startswith("gwc.lint.code.") for name in modules), "no code is looked at"
    assert "gwc.composer" not in modules, "a position was looked for, though nothing was found"
    assert len(modules) < 150
