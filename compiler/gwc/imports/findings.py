"""What an import says of its source: what it left out, bent, or filled in (GWC80x), each with its place.

An import never drops anything silently: whatever it read and did not turn into policy is one of these.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum

from gwc.diagnostics import Diagnostic, Report, Severity, Span


class Fate(Enum):
    """What became of a word of the source; code and severity."""

    BROKEN = ("GWC800", Severity.ERROR)
    """It cannot be read at all."""
    LEFT_OUT = ("GWC801", Severity.WARNING)
    """The policies lack it."""
    APPROXIMATE = ("GWC802", Severity.WARNING)
    """The policies have something close."""
    SECRET = ("GWC803", Severity.WARNING)
    """A secret; the policies name a place for it and lack its value."""
    ASSUMED = ("GWC804", Severity.WARNING)
    """The source leaves it open, and the policies had to say something."""
    NO_MATTER = ("GWC805", Severity.INFO)
    """No client can tell, or gwc's output has its own: there is nothing to import."""


class ImportFailedError(Exception):
    """The source cannot be imported; the findings say why."""


@dataclass(slots=True)
class Findings:
    """One import's report, and the texts that it may quote."""

    report: Report = field(default_factory=Report)
    texts: dict[str, str] = field(default_factory=dict)
    _counted: dict[tuple[str, str], tuple[Diagnostic, int]] = field(default_factory=dict)

    def left_out(self, span: Span, what: str, instead: str = "") -> None:
        self._add(Fate.LEFT_OUT, span, what, instead)

    def approximate(self, span: Span, what: str, instead: str = "") -> None:
        self._add(Fate.APPROXIMATE, span, what, instead)

    def secret(self, span: Span, what: str, instead: str) -> None:
        """`span` is that of the value: no report quotes it."""
        self._add(Fate.SECRET, span, what, instead)

    def assumed(self, span: Span, what: str, instead: str = "") -> None:
        self._add(Fate.ASSUMED, span, what, instead)

    def no_matter(self, span: Span, word: str, why: str) -> None:
        """Once for each word, at its first place, however often the source has it."""
        key = (word, why)
        first, count = self._counted.get(key, (Diagnostic(span, *Fate.NO_MATTER.value, ""), 0))
        self._counted[key] = (min(first, replace(first, span=span)), count + 1)

    def broken(self, span: Span, what: str, instead: str = "") -> ImportFailedError:
        """To be raised."""
        self._add(Fate.BROKEN, span, what, instead)
        return ImportFailedError(what)

    def _add(self, fate: Fate, span: Span, what: str, instead: str) -> None:
        code, severity = fate.value
        self.report.add(Diagnostic(span, code, severity, what, instead))

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        return tuple(sorted((*self.report.diagnostics, *self._said_once())))

    def _said_once(self) -> list[Diagnostic]:
        found = []
        for (word, why), (first, count) in self._counted.items():
            times = f" ({count} times)" if count > 1 else ""
            found.append(replace(first, message=f"`{word}`{times}: {why}"))
        return found

    @property
    def lossy(self) -> bool:
        """Whether the source says something that the policies do not."""
        lossless = {fate.value[0] for fate in (Fate.ASSUMED, Fate.NO_MATTER)}
        return any(one.code not in lossless for one in self.report.diagnostics)
