"""Suppressions: `# gwc: ignore[GWC303] until 2027-06-30: the client sends an idempotency key`.

At the end of the line that a finding points at, or alone on the line above it. The reason is needed, the date is not.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from datetime import date
from typing import TYPE_CHECKING

from gwc.diagnostics import Diagnostic, Edit, Fix, Severity, Span
from gwc.document import Document, MappingNode, Node, ScalarNode, SequenceNode
from gwc.frozen import dataclass

if TYPE_CHECKING:
    from gwc.lint.code.project import Module

UNUSED, WITHOUT_REASON, EXPIRED, UNKNOWN = "GWC590", "GWC591", "GWC592", "GWC593"
OWN_CODES = frozenset({UNUSED, WITHOUT_REASON, EXPIRED, UNKNOWN})

_COMMENT = re.compile(r"#\s*gwc:\s*ignore\b[ \t]*(?P<rest>[^\n]*)")
_REST = r"\[(?P<codes>[^\]]*)\]\s*(?:until\s+(?P<until>\S+?)\s*(?::|\s|$))?\s*:?\s*(?P<reason>.*)"


@dataclass(frozen=True, slots=True)
class Suppression:
    """`line` is the line whose findings it is about; `span` is the comment."""

    span: Span
    line: int
    codes: tuple[str, ...]
    until: str | None
    reason: str


def suppressions(document: Document) -> tuple[Suppression, ...]:
    """Those in comments. What looks like one inside a scalar is text."""
    found: list[Suppression] = []
    if not _COMMENT.search(document.source.text):
        return ()
    scalars = [scalar.span for scalar in _scalars(document.root)]
    for number, line in enumerate(document.source.text.split("\n"), start=1):
        match = _COMMENT.search(line)
        if match and not _inside(scalars, number, match.start() + 1):
            found.append(_read(document.source.name, number, line, match))
    return tuple(found)


def suppressions_in_code(module: Module) -> tuple[Suppression, ...]:
    """Those in comments of Python."""
    if not _COMMENT.search(module.text):
        return ()
    import io
    import tokenize

    lines = module.text.split("\n")
    tokens = tokenize.generate_tokens(io.StringIO(module.text).readline)
    numbers = [token.start[0] for token in tokens if token.type == tokenize.COMMENT]
    found = ((number, lines[number - 1], _COMMENT.search(lines[number - 1])) for number in numbers)
    return tuple(_read(module.file, number, line, match) for number, line, match in found if match)


def _read(file: str, number: int, line: str, match: re.Match[str]) -> Suppression:
    span = Span(file, number, match.start() + 1, number, len(line.rstrip()) + 1)
    about = number + 1 if not line[: match.start()].strip() else number
    rest = re.match(_REST, match["rest"])
    if rest is None:
        return Suppression(span, about, (), None, "")
    codes = tuple(code.strip() for code in rest["codes"].split(",") if code.strip())
    return Suppression(span, about, codes, rest["until"], rest["reason"].strip())


def _inside(spans: Sequence[Span], line: int, column: int) -> bool:
    return any((s.line, s.column) <= (line, column) < (s.end_line, s.end_column) for s in spans)


def _scalars(node: Node) -> Iterator[ScalarNode]:
    if isinstance(node, ScalarNode):
        yield node
    children = node.items.values() if isinstance(node, MappingNode) else ()
    for child in node.items if isinstance(node, SequenceNode) else children:
        yield from _scalars(child)


def applied(
    found: Sequence[Diagnostic], written: Sequence[Suppression], known: Collection[str], ran: Collection[str], now: date
) -> tuple[Diagnostic, ...]:
    """`found` without what `written` suppresses, and what is wrong with the suppressions themselves.

    `known` are all codes of lint; `ran` those that were looked for: another one's suppression cannot be unused.
    """
    faulty = {s: fault for s in written if (fault := _fault(s, known, now)) is not None}
    valid = [s for s in written if s not in faulty]
    kept: list[Diagnostic] = []
    used: set[tuple[Suppression, str]] = set()
    for diagnostic in found:
        about = [s for s in valid if _covers(s, diagnostic)]
        used.update((s, diagnostic.code) for s in about)
        kept += [] if about else [diagnostic]
    unused = [_unused(s, code) for s in valid for code in s.codes if code in ran and (s, code) not in used]
    return tuple(sorted((*kept, *faulty.values(), *unused)))


def _covers(suppression: Suppression, diagnostic: Diagnostic) -> bool:
    place = (diagnostic.span.file, diagnostic.span.line)
    return place == (suppression.span.file, suppression.line) and diagnostic.code in suppression.codes


def _fault(suppression: Suppression, known: Collection[str], now: date) -> Diagnostic | None:
    unknown = [code for code in suppression.codes if code not in known]
    if unknown or not suppression.codes:
        what = f"`{unknown[0]}` is no code of lint" if unknown else "no code is named"
        return _wrong(suppression, UNKNOWN, what, "write # gwc: ignore[GWC303] and the reason")
    if not suppression.reason:
        return _wrong(suppression, WITHOUT_REASON, "a suppression needs its reason", "write it behind the brackets")
    return _overdue(suppression, now)


def _overdue(suppression: Suppression, now: date) -> Diagnostic | None:
    if suppression.until is None:
        return None
    try:
        last = date.fromisoformat(suppression.until)
    except ValueError:
        return _wrong(suppression, UNKNOWN, f"`{suppression.until}` is no date", "write until 2027-06-30")
    if now <= last:
        return None
    return _wrong(suppression, EXPIRED, f"the suppression ended on {last}", "mend the finding, or renew the date")


def _wrong(suppression: Suppression, code: str, message: str, hint: str) -> Diagnostic:
    return Diagnostic(suppression.span, code, Severity.ERROR, message, hint)


def _unused(suppression: Suppression, code: str) -> Diagnostic:
    alone = len(suppression.codes) == 1
    fix = Fix((Edit(suppression.span, ""),)) if alone else None
    message = f"nothing is suppressed: {code} is not found here"
    hint = "remove the comment" if alone else f"take {code} out of the brackets"
    return Diagnostic(suppression.span, UNUSED, Severity.WARNING, message, hint, (), fix)
