"""Annotations of GitHub Actions: one workflow command a finding."""

from __future__ import annotations

from collections.abc import Sequence

from gwc.diagnostics import Diagnostic, Severity, Span
from gwc.report.excerpt import printable

_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}


def render_github(diagnostics: Sequence[Diagnostic]) -> str:
    return "".join(f"{_command(diagnostic)}\n" for diagnostic in diagnostics)


def _command(diagnostic: Diagnostic) -> str:
    hint = f"\n{diagnostic.hint}" if diagnostic.hint else ""
    text = f"{printable(diagnostic.message)}{hint}"
    return command(_LEVELS[diagnostic.severity], diagnostic.span, diagnostic.code, text)


def command(level: str, span: Span | None, title: str, text: str) -> str:
    """One workflow command; without a span it belongs to no line."""
    place: dict[str, object] = {}
    if span is not None:
        place = {"file": span.file, "line": span.line, "endLine": span.end_line}
        place |= {"col": span.column, "endColumn": span.end_column}
    properties = ",".join(f"{name}={_property(str(value))}" for name, value in {**place, "title": title}.items())
    return f"::{level} {properties}::{_data(text)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
