"""Diagnostics: the one type with which every command says what is wrong, where, and what to do.

Codes are stable for ever: GWC0xx syntax, 1xx schema, 2xx resolve, 3xx-5xx lint, 6xx target support, 7xx diff, 80x
import.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

from gwc.frozen import dataclass, field

HOLDS_SECRET = frozenset({"GWC109", "GWC803"})
"""Findings whose span may be a secret's value: a report that quotes source lines leaves it out."""

BEFORE_SECRET = frozenset({"GWC405"})
"""Findings whose span is the name of what may be a secret: the rest of the line is left out as well."""


class Severity(IntEnum):
    """Ordered: a report is as bad as its worst entry."""

    INFO = 1
    WARNING = 2
    ERROR = 3

    @property
    def word(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A stretch of a file. Lines and columns count from 1, columns in characters; the end is exclusive."""

    file: str
    line: int
    column: int
    end_line: int
    end_column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True, order=True)
class Related:
    """Another place that matters, and why: "first defined here"."""

    span: Span
    message: str


@dataclass(frozen=True, slots=True, order=True)
class Edit:
    """`text` in the place of what `span` holds."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True, order=True)
class Fix:
    """What mends a finding without changing anything else that clients can see."""

    edits: tuple[Edit, ...]


@dataclass(frozen=True, slots=True, order=True)
class Diagnostic:
    """One finding. `message` says what is wrong, with the value; `hint` what to write instead."""

    span: Span
    code: str
    severity: Severity
    message: str
    hint: str = ""
    related: tuple[Related, ...] = ()
    fix: Fix | None = field(default=None, compare=False)


@dataclass(slots=True)
class Report:
    """Diagnostics as they are found; read out sorted and without repetitions."""

    _found: set[Diagnostic] = field(default_factory=set)

    def add(self, diagnostic: Diagnostic) -> None:
        self._found.add(diagnostic)

    def extend(self, diagnostics: Iterable[Diagnostic]) -> None:
        self._found.update(diagnostics)

    def error(self, code: str, span: Span, message: str, *, hint: str = "", related: tuple[Related, ...] = ()) -> None:
        self.add(Diagnostic(span, code, Severity.ERROR, message, hint, related))

    @property
    def count(self) -> int:
        return len(self._found)

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        return tuple(sorted(self._found))

    @property
    def failed(self) -> bool:
        return any(d.severity is Severity.ERROR for d in self._found)
