"""Files made from the code are what the code makes today."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest

import generate
from generate import GENERATED, REPOSITORY
from gwc.cli import run
from gwc.diagnostics import Report
from gwc.document import parse
from gwc.policy.schema import json_schema
from gwc.source import read_policies


@pytest.mark.parametrize(("path", "text"), GENERATED.items(), ids=[p.name for p in GENERATED])
def test_generated_files_are_fresh(path: Path, text: Callable[[], str]) -> None:
    """In policies/platform.yaml this is the list of what is accepted: no feature too few, and none too many."""
    assert path.read_text(encoding="utf-8") == text(), "run: python scripts/generate.py"


def test_every_page_of_a_rule_has_its_rule() -> None:
    assert set((REPOSITORY / "docs/rules").iterdir()) <= GENERATED.keys()


def test_the_schema_is_a_schema_and_the_examples_keep_to_it() -> None:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    report = Report()
    for source in read_policies(str(REPOSITORY / "policies"), report):
        document = parse(source, report)
        assert document is not None
        assert [error.message for error in validator.iter_errors(document.data())] == []


def test_the_published_schema_is_what_the_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["schema"]) == 0
    assert capsys.readouterr().out == generate.schema()
    assert run(["schema", "access-log"]) == 0
    assert capsys.readouterr().out == (REPOSITORY / "schema/access-log-v1.json").read_text(encoding="utf-8")


def test_the_support_page_is_what_the_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["support", "--format", "markdown"]) == 0
    assert generate.support() == generate.SUPPORT + capsys.readouterr().out
