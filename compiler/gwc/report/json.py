"""The report for programs. The schema only grows; a change that breaks a reader raises SCHEMA."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from gwc import __version__
from gwc.diagnostics import Diagnostic, Severity, Span

SCHEMA = 1


def render_json(
    command: str, exit_code: int, diagnostics: Sequence[Diagnostic], result: Mapping[str, object] | None = None
) -> str:
    """One JSON object; `result` is what the command says beyond its findings."""
    document = {
        "schema": SCHEMA,
        "gwc": __version__,
        "command": command,
        "exit": exit_code,
        "summary": {f"{severity.word}s": _number(diagnostics, severity) for severity in reversed(Severity)},
        "diagnostics": [_entry(diagnostic) for diagnostic in diagnostics],
        "result": dict(result or {}),
    }
    return json.dumps(document, indent=2, ensure_ascii=True) + "\n"


def _number(diagnostics: Sequence[Diagnostic], severity: Severity) -> int:
    return sum(d.severity is severity for d in diagnostics)


def _entry(diagnostic: Diagnostic) -> dict[str, object]:
    return {
        "severity": diagnostic.severity.word,
        "code": diagnostic.code,
        "message": diagnostic.message,
        "hint": diagnostic.hint,
        **_span(diagnostic.span),
        "related": [{"message": related.message, **_span(related.span)} for related in diagnostic.related],
    }


def _span(span: Span) -> dict[str, object]:
    return {
        "file": span.file,
        "line": span.line,
        "column": span.column,
        "end_line": span.end_line,
        "end_column": span.end_column,
    }
