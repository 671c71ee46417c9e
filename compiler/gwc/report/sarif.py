"""SARIF 2.1.0: what code scanning of GitHub, GitLab and Azure reads."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from urllib.parse import quote

from gwc import __version__
from gwc.diagnostics import Diagnostic, Edit, Fix, Severity, Span

_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def render_sarif(diagnostics: Sequence[Diagnostic], summaries: Mapping[str, str]) -> str:
    """`summaries`: what a code is about, for those that have a rule."""
    codes = sorted({diagnostic.code for diagnostic in diagnostics})
    driver = {
        "name": "gwc",
        "version": __version__,
        "rules": [{"id": code, "shortDescription": {"text": summaries.get(code, code)}} for code in codes],
    }
    results = [_result(diagnostic, codes.index(diagnostic.code)) for diagnostic in diagnostics]
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _result(diagnostic: Diagnostic, rule: int) -> dict[str, object]:
    hint = f"\n{diagnostic.hint}" if diagnostic.hint else ""
    result: dict[str, object] = {
        "ruleId": diagnostic.code,
        "ruleIndex": rule,
        "level": _LEVELS[diagnostic.severity],
        "message": {"text": f"{diagnostic.message}{hint}"},
        "locations": [_location(diagnostic.span)],
    }
    if diagnostic.related:
        related = enumerate(diagnostic.related)
        result["relatedLocations"] = [
            {"id": number, "message": {"text": place.message}, **_location(place.span)} for number, place in related
        ]
    if diagnostic.fix:
        result["fixes"] = [_fix(diagnostic.fix)]
    return result


def _location(span: Span) -> dict[str, object]:
    return {"physicalLocation": {"artifactLocation": _artifact(span), "region": _region(span)}}


def _artifact(span: Span) -> dict[str, object]:
    return {"uri": quote(span.file)}


def _region(span: Span) -> dict[str, object]:
    return {
        "startLine": span.line,
        "startColumn": span.column,
        "endLine": span.end_line,
        "endColumn": span.end_column,
    }


def _fix(fix: Fix) -> dict[str, object]:
    return {"artifactChanges": [_change(edit) for edit in fix.edits]}


def _change(edit: Edit) -> dict[str, object]:
    replacement: dict[str, object] = {"deletedRegion": _region(edit.span)}
    if edit.text:
        replacement["insertedContent"] = {"text": edit.text}
    return {"artifactLocation": _artifact(edit.span), "replacements": [replacement]}
