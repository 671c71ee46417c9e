"""Each rule finds its example and nothing in what to use instead; what its documentation shows is what it does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from gwc.lint.registry import RULES
from gwc.lint.rule import Rule, documentation, examples
from gwc.report.text import render_text
from lint.rules import code, linted, sources

by_rule = pytest.mark.parametrize("rule", [pytest.param(rule, id=f"{rule.code}-{rule.name}") for rule in RULES])


@by_rule
def test_finds_its_example(
    rule: type[Rule], snapshot: SnapshotAssertion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    section = documentation(rule).sections["Example"]
    policies, services = sources(section), code(section, tmp_path)
    assert tuple(examples(section)), "an example names its file: # policies/shop.yaml"
    found = [diagnostic for diagnostic in linted(policies, services) if diagnostic.code == rule.code]
    texts = {**dict(examples(section)), **{source.name: source.text for source in policies}}
    assert render_text(found, texts) == snapshot
    assert found


@by_rule
def test_has_nothing_to_say_about_what_to_use_instead(rule: type[Rule], tmp_path: Path) -> None:
    section = documentation(rule).sections["Use instead"]
    found = linted(sources(section), code(section, tmp_path))
    assert [d for d in found if d.code == rule.code] == []


def test_plain_policies_have_no_findings() -> None:
    assert linted(sources("")) == ()


def test_codes_and_names_are_unique_and_well_formed() -> None:
    assert len({rule.code for rule in RULES}) == len({rule.name for rule in RULES}) == len(RULES)
    assert all(re.fullmatch("GWC[3-5][0-9]{2}", rule.code) for rule in RULES)
    assert all(re.fullmatch("[a-z]+(-[a-z]+)*", rule.name) for rule in RULES)
