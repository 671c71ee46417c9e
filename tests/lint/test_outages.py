"""Mistakes that took somebody's service down, or gave somebody's data away: each has a public source and its rule."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from gwc.diagnostics import Diagnostic
from lint.rules import linted, policies_of

STORIES = sorted((Path(__file__).parent / "outages").glob("*.yaml"))
by_story = pytest.mark.parametrize("story", STORIES, ids=lambda path: path.stem)


def _read(story: Path) -> dict[str, Any]:
    told: dict[str, Any] = yaml.safe_load(story.read_text(encoding="utf-8"))
    assert told.keys() == {"what", "source", "before", "found", "after"}
    assert told["what"]
    assert told["source"].startswith("https://")
    return told


def _linted(files: dict[str, Any], directory: Path) -> tuple[Diagnostic, ...]:
    said = {Path(name).stem: text for name, text in files.items() if name.endswith(".yaml")}
    code = {name: text for name, text in files.items() if name.endswith(".py")}
    for name, text in code.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text)
    return linted(policies_of(said), directory / "services" if code else None)


def test_there_are_stories() -> None:
    assert len(STORIES) >= 12


@by_story
def test_lint_would_have_said(story: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exactly this, and nothing else, at a place in the files that were wrong."""
    monkeypatch.chdir(tmp_path)
    told = _read(story)
    found = _linted(told["before"], tmp_path)
    assert [f"{d.code} {d.message}" for d in sorted(found, key=lambda d: d.code)] == told["found"]
    assert {d.span.file for d in found} <= told["before"].keys()


@by_story
def test_and_is_content_with_the_mended_files(story: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert _linted(_read(story)["after"], tmp_path) == ()
