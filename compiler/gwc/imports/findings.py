"""What an import says of its source: what it left out, bent, or filled in (GWC80x), each with its place.

An import never drops anything silently: whatever it read and did not turn into policy is one of these.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
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
    _places: dict[tuple[str, str], set[Span]] = field(default_factory=dict)

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
        self._places.setdefault((word, why), set()).add(span)

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

    def _said_once(self) -> Iterator[Diagnostic]:
        for (word, why), places in self._places.items():
            times = f" ({len(places)} times)" if len(places) > 1 else ""
            yield Diagnostic(min(places), *Fate.NO_MATTER.value, f"`{word}`{times}: {why}")

    @property
    def lossy(self) -> bool:
        """Whether the source says something that the policies do not."""
        lossless = {fate.value[0] for fate in (Fate.ASSUMED, Fate.NO_MATTER)}
        return any(one.code not in lossless for one in self.report.diagnostics)
