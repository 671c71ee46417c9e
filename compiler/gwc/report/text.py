"""The report for people: place, severity, code, message; the line with an underline; related places; a hint."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gwc.diagnostics import BEFORE_SECRET, HOLDS_SECRET, Diagnostic, Severity, Span
from gwc.report.excerpt import Texts, excerpt, masked, printable, source_line
from gwc.report.style import Style, plain


def render_text(diagnostics: Sequence[Diagnostic], texts: Texts, style: Style = plain) -> str:
    """All of `diagnostics`, a blank line after each; empty for none."""
    shown = _without_secrets(diagnostics, texts)
    return "".join("\n".join((*_entry(d, shown, style), "", "")) for d in diagnostics)


def _without_secrets(diagnostics: Sequence[Diagnostic], texts: Texts) -> Texts:
    """`texts` without the places that may hold a secret's value, whatever finding quotes their lines."""
    shown = dict(texts)
    for diagnostic in diagnostics:
        span = diagnostic.span
        if span.file in shown and diagnostic.code in HOLDS_SECRET:
            shown[span.file] = masked(shown[span.file], span)
        if span.file in shown and diagnostic.code in BEFORE_SECRET:
            shown[span.file] = masked(shown[span.file], _behind(span, shown))
    return shown


def _behind(span: Span, texts: Texts) -> Span:
    """From the end of `span` to the end of its last line."""
    end = Span(span.file, span.end_line, span.end_column, span.end_line, span.end_column)
    length = len(source_line(texts, end) or "")
    return Span(span.file, end.line, end.column, end.line, max(length + 1, span.end_column))


def counts(diagnostics: Sequence[Diagnostic]) -> str:
    """`2 errors, 1 warning`, the worst first; `no findings`."""
    numbers = [(severity, sum(d.severity is severity for d in diagnostics)) for severity in reversed(Severity)]
    words = [f"{number} {severity.word}{'s' * (number > 1)}" for severity, number in numbers if number]
    return ", ".join(words) or "no findings"


def _entry(diagnostic: Diagnostic, texts: Texts, style: Style) -> Iterator[str]:
    role = diagnostic.severity.word
    head = f"{style(role, role)} {style('code', diagnostic.code)} {printable(diagnostic.message)}"
    yield f"{_place(diagnostic.span, style)}: {head}"
    yield from _excerpt(texts, diagnostic.span, "^", role, style)
    for related in diagnostic.related:
        yield f"  {_place(related.span, style)}: {printable(related.message)}"
        yield from _excerpt(texts, related.span, "~", "gutter", style)
    if diagnostic.hint:
        yield f"  {style('hint', 'hint:')} {printable(diagnostic.hint)}"


def _place(span: Span, style: Style) -> str:
    return style("place", printable(str(span)))


def _excerpt(texts: Texts, span: Span, mark: str, role: str, style: Style) -> Iterator[str]:
    shown = excerpt(texts, span, mark)
    if shown is not None:
        line, underline = shown
        yield f"{style('gutter', f'{span.line:>5} |')} {line}".rstrip()
        yield f"{style('gutter', '      |')} {_tail(underline, style, role)}"


def _tail(underline: str, style: Style, role: str) -> str:
    marks = underline.lstrip()
    return underline[: len(underline) - len(marks)] + style(role, marks)
