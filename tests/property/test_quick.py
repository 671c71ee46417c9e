"""The quick way through a policy against the strict one: the same variants, the same places, the same findings."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from gwc.diagnostics import Diagnostic, Report
from gwc.document import Document, parse
from gwc.ir_json import to_jsonable
from gwc.lint import run
from gwc.lint.code.project import CodeError
from gwc.lint.registry import RULES
from gwc.lint.rule import documentation
from gwc.policy.load import load_variants
from gwc.policy.variants import quick_variants, under
from gwc.resolve import resolve
from gwc.source import Source
from lint.rules import KEYS, policies_of, sources

from .test_plain import damaged

ROOT = Path(__file__).resolve().parents[2]
NOW = date(2026, 11, 23)
EXPLORING = "GWC_EXPLORE" in os.environ
ROUNDS = 5_000 if EXPLORING else 1_500
SEED = random.SystemRandom().randrange(2**32) if EXPLORING else 3

Policies = tuple[Source, ...]


def _read(_: Source, __: str) -> str:
    return KEYS


def of_directory(directory: Path) -> Policies:
    return tuple(Source(str(path), path.read_text(encoding="utf-8")) for path in sorted(directory.glob("*.yaml")))


def of_rules() -> dict[str, Policies]:
    """The examples of every rule, those that it finds and those that it does not."""
    found = {}
    for rule in RULES:
        for section in ("Example", "Use instead"):
            found[f"{rule.code} {section}"] = sources(documentation(rule).sections[section])
    return found


def of_outage(path: Path, when: str) -> Policies:
    """The policies of a story, before somebody learned from it and after."""
    said = yaml.safe_load(path.read_text(encoding="utf-8"))[when]
    return policies_of({Path(name).stem: one for name, one in said.items() if name.endswith(".yaml")})


OUTAGES = sorted((ROOT / "tests/lint/outages").glob("*.yaml"))
EXAMPLES: dict[str, Policies] = {
    "policies": of_directory(ROOT / "policies"),
    "maximal": of_directory(ROOT / "tests/maximal"),
    **{f"{path.name} {when}": of_outage(path, when) for path in OUTAGES for when in ("before", "after")},
    **of_rules(),
}


def linted(policies: Sequence[Source], *, quick: bool, monkeypatch: pytest.MonkeyPatch) -> tuple[Diagnostic, ...]:
    report = Report()
    with monkeypatch.context() as patch:
        if not quick:
            patch.setattr(run, "quick_variants", lambda _: None)
        run.lint_sources(tuple(policies), RULES, environment=None, now=NOW, report=report, read=_read)
    return report.diagnostics


def same_findings(policies: Sequence[Source], monkeypatch: pytest.MonkeyPatch) -> tuple[Diagnostic, ...]:
    strict = linted(policies, quick=False, monkeypatch=monkeypatch)
    quick = linted(policies, quick=True, monkeypatch=monkeypatch)
    assert [(d, d.fix) for d in quick] == [(d, d.fix) for d in strict]
    return strict


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_has_the_same_findings(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    same_findings(EXAMPLES[name], monkeypatch)


@pytest.mark.parametrize("name", [name for name in EXAMPLES if not name.startswith("GWC")])
def test_every_value_is_the_same_and_written_at_the_same_place(name: str) -> None:
    """The whole Gateway of each environment, with the file and line of every leaf."""
    report = Report()
    documents = [document for source in EXAMPLES[name] if (document := parse(source, report)) is not None]
    strict = [found for document in documents if (found := load_variants(document, report)) is not None]
    quick = [found for source in EXAMPLES[name] if (found := quick_variants(source)) is not None]
    assert len(quick) == len(strict) == len(EXAMPLES[name])
    for environment in {name for variants in strict for name in variants}:
        shown = [_shown([under(one, environment) for one in variants], environment) for variants in (strict, quick)]
        assert shown[0] == shown[1]


def _shown(policies: Any, environment: str | None) -> Any:
    report = Report()
    gateway = resolve(policies, environment=environment, now=NOW, report=report, read=_read)
    return report.diagnostics, gateway and to_jsonable(gateway)


@pytest.mark.parametrize("name", [name for name in EXAMPLES if not name.startswith("GWC")])
def test_an_environments_document_is_merged_the_same(name: str) -> None:
    for source in EXAMPLES[name]:
        document, quick = parse(source, Report()), quick_variants(source)
        assert document is not None and quick is not None
        strict = load_variants(document, Report())
        assert strict is not None and strict.keys() == quick.keys()
        for environment, loaded in strict.items():
            _same_document(loaded.document, quick[environment].document)


def _same_document(strict: Document, quick: Document) -> None:
    assert repr(strict.data()) == repr(quick.data())
    assert list(strict.items) == list(quick.items)
    for path in _paths(strict.data()):
        assert strict.has(path) and quick.has(path)
        for nowhere in ("nowhere", 999):
            assert not quick.has((*path, nowhere))
            assert quick.written((*path, nowhere)) is None and strict.written((*path, nowhere)) is None
        assert strict.place(path) == quick.place(path) == quick.written(path) == strict.written(path)
        assert strict.key_span(path) == quick.key_span(path)
    assert strict.root == quick.root


def _paths(data: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [path, *(found for key, value in items for found in _paths(value, (*path, key)))]


def test_damaged_policies_have_the_same_findings(monkeypatch: pytest.MonkeyPatch) -> None:
    chance, found, clean = random.Random(SEED), set(), 0
    known = [policies for policies in EXAMPLES.values() if len(policies) < 4]
    for _ in range(ROUNDS):
        policies = list(chance.choice(known))
        index = chance.randrange(len(policies))
        policies[index] = Source(policies[index].name, damaged(policies[index].text, chance))
        diagnostics = same_findings(policies, monkeypatch)
        found |= {diagnostic.code for diagnostic in diagnostics}
        clean += not diagnostics
    assert clean and len(found) > 10, "damage has to leave some valid, and to break others"


def test_what_is_right_needs_neither_pydantic_nor_a_position(monkeypatch: pytest.MonkeyPatch) -> None:
    """A counter: documents that were read by the strict reader, or for places."""
    read: list[str] = []
    monkeypatch.setattr(run, "parse", lambda source, _: read.append(source.name))
    monkeypatch.setattr("gwc.outline.outlined", lambda source: read.append(source.name))
    assert linted(sources(""), quick=True, monkeypatch=monkeypatch) == ()
    assert read == []


def test_an_environment_that_nobody_has_is_found_in_the_quick_way_too() -> None:
    from gwc.suggest import UnknownNameError

    with pytest.raises(UnknownNameError):
        run.lint_sources(sources(""), RULES, environment="prod", now=NOW, report=Report(), read=_read)


TWO = """apiVersion: gwc/v1
kind: Service
service: shop
upstream: http://127.0.0.1:8000
routes:
  - {name: a, path: /a, methods: [GET], limits: [{per: user, rate: 5/s}]}
  - {name: b, path: /b, methods: [GET], auth: none}
  - {name: c, path: /c, methods: [GET], auth: none, limits: [{per: user, rate: 5/s}]}
  - {name: d, path: /d, methods: [POST], cache: {ttl: 1s, scope: user}}
  - {name: e, path: /e, methods: [GET], cache: {ttl: 1s, scope: user}}
  - {name: f, path: /f, methods: [GET], auth: none, cache: {ttl: 1s, scope: user}}
  - {name: g, path: /g, methods: [GET], cache: {ttl: 1s}}
  - {name: h, path: /h, methods: [GET], retries: {backoff: {base: 2s}, attempts: 1}}
  - {name: i, path: /i, methods: [GET], retries: {backoff: {base: 2s}, attempts: 1}}
  - {name: j, path: /j, methods: [GET], stream: true, cache: {ttl: 1s, scope: user}}
  - {name: k, path: /k, methods: [GET], websocket: true}
  - {name: l, path: /l, methods: [POST], websocket: true}
  - {name: m, path: /m, methods: [GET], websocket: true}
"""


def test_what_is_right_by_itself_may_be_wrong_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sections are remembered one by one; faults of two of them, and of the same one again, are found all the same."""
    platform, *_ = sources("")
    bounded = replace(platform, text=platform.text.replace("timeouts:", "retries: {backoff: {max: 1s}}\n  timeouts:"))
    found = same_findings([bounded, replace(platform, name="policies/shop.yaml", text=TWO)], monkeypatch)
    codes = [diagnostic.code for diagnostic in found]
    assert {code: codes.count(code) for code in codes} == {
        "GWC224": 2, "GWC226": 1, "GWC227": 1, "GWC228": 1, "GWC229": 1, "GWC233": 2
    }  # fmt: skip


def test_code_errors_stay_errors(tmp_path: Path) -> None:
    with pytest.raises(CodeError):
        run.lint_sources(sources(""), RULES, environment=None, now=NOW, report=Report(), read=_read, code=str(tmp_path))
