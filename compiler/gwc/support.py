"""What a target promises of each feature, and the check of a Gateway against it.

Three locks keep features from being dropped: the table refuses to exist when one is missing, everything below exact
carries the note that the user reads, and the perturbation test holds the table against the output.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum

from gwc.diagnostics import Diagnostic, Related, Severity, Span
from gwc.features import FEATURES, Use
from gwc.frozen import dataclass
from gwc.ir import Gateway, Level


class Fidelity(StrEnum):
    EXACT = "exact"
    APPROXIMATE = "approximate"
    UNSUPPORTED = "unsupported"


class SupportError(Exception):
    """A support table that does not cover the language; raised at import, never shown to a user."""


@dataclass(frozen=True, slots=True)
class Support:
    """A promise. Below exact, `note` says what still holds (approximate) or why not, and what to do instead."""

    fidelity: Fidelity
    note: str = ""

    def __post_init__(self) -> None:
        if self.fidelity is not Fidelity.EXACT and not self.note:
            raise SupportError(f"{self.fidelity} needs a note")


@dataclass(frozen=True, slots=True)
class Case:
    """`support` instead of the usual promise for a use that `when` picks; `condition` words it for the tables."""

    condition: str
    when: Callable[[Gateway, Use], bool]
    support: Support


@dataclass(frozen=True, slots=True)
class Conditional:
    """A promise that depends on the value: the first case that applies, otherwise `usual`."""

    usual: Support
    cases: tuple[Case, ...]

    def of(self, gateway: Gateway, use: Use) -> Support:
        return next((case.support for case in self.cases if case.when(gateway, use)), self.usual)


MOST_RELATED = 3
"""Further lines that a diagnostic names; the manifest has them all."""

EXACT = Support(Fidelity.EXACT)


def approximate(note: str) -> Support:
    return Support(Fidelity.APPROXIMATE, note)


def unsupported(note: str) -> Support:
    return Support(Fidelity.UNSUPPORTED, note)


@dataclass(frozen=True, slots=True)
class SupportTable:
    """One target's promises in one profile, for every feature of the language and no other."""

    target: str
    profile: str
    entries: Mapping[str, Support | Conditional]

    def __post_init__(self) -> None:
        missing, unknown = FEATURES.keys() - self.entries.keys(), self.entries.keys() - FEATURES.keys()
        if missing or unknown:
            raise SupportError(f"{self.target}: missing {sorted(missing)}, unknown {sorted(unknown)}")

    def of(self, feature: str, gateway: Gateway, use: Use) -> Support:
        entry = self.entries[feature]
        return entry.of(gateway, use) if isinstance(entry, Conditional) else entry

    def below(self, gateway: Gateway) -> Iterator[tuple[str, Support, list[Use]]]:
        """Every feature that the Gateway uses and that is not exact there, with its uses under each promise."""
        for name, feature in FEATURES.items():
            if self.entries[name] == EXACT:
                continue
            merged: dict[Support, list[Use]] = {}
            for use in feature.uses(gateway):
                support = self.of(name, gateway, use)
                if support is not EXACT and support.fidelity is not Fidelity.EXACT:
                    merged.setdefault(support, []).append(use)
            yield from ((name, support, uses) for support, uses in merged.items())


def check(gateway: Gateway, table: SupportTable) -> Iterator[Diagnostic]:
    """What `table` cannot do exactly for this Gateway and nobody accepted.

    One diagnostic a feature and promise, however many lines and routes use it: it is one decision to take.
    """
    options = gateway.targets.get(table.target)
    accepted = frozenset(options.accept) if options else frozenset()
    for name, support, uses in table.below(gateway):
        if name not in accepted:
            yield _diagnostic(table, name, support, uses)


def _diagnostic(table: SupportTable, name: str, support: Support, uses: list[Use]) -> Diagnostic:
    unsupported_ = support.fidelity is Fidelity.UNSUPPORTED
    verb = "cannot express" if unsupported_ else "only approximates"
    written = [use for use in uses if use.origin.level is not Level.DEFAULT] or uses[:1]
    spans = list(_first(use.span for use in written))
    subjects = list(dict.fromkeys(use.subject for use in (*written, *uses)))
    named = subjects[0] if len(subjects) == 1 else f"{subjects[0]} and {len(subjects) - 1} more"
    return Diagnostic(
        spans[0],
        "GWC601" if unsupported_ else "GWC602",
        Severity.ERROR if unsupported_ else Severity.WARNING,
        f"{table.target} ({table.profile}) {verb} {name} for {named}: {support.note}",
        f"change the policy, or take it knowingly: targets.{table.target}.accept: [{name}]",
        tuple(Related(span, "and here") for span in spans[1:]),
    )


def _first(spans: Iterator[Span]) -> dict[Span, None]:
    """As many as are shown, each once: to look for a place is not cheap."""
    found: dict[Span, None] = {}
    for span in spans:
        found[span] = None
        if len(found) > MOST_RELATED:
            break
    return found
