"""What a target promises of each feature, and the check of a Gateway against it.

Three locks keep features from being dropped: the table refuses to exist when one is missing, everything below exact
carries the note that the user reads, and the perturbation test holds the table against the output.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from itertools import chain
from typing import Any

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
    """`support` instead of the usual promise for a use that `when` picks; `condition` words it for the tables.

    `of_all`: it picks all uses in a Gateway or none, and so is asked of one of them.
    """

    condition: str
    when: Callable[[Gateway, Use], bool]
    support: Support
    of_all: bool = False


@dataclass(frozen=True, slots=True)
class Conditional:
    """A promise that depends on the value: the first case that applies, otherwise `usual`."""

    usual: Support
    cases: tuple[Case, ...]

    def of(self, gateway: Gateway, use: Use) -> Support:
        for case in self.cases:
            if case.when(gateway, use):
                return case.support
        return self.usual

    def after(self, gateway: Gateway, use: Use) -> Support | Conditional:
        """What is left to ask of each use, once `use` has told what holds of all."""
        left: list[Case] = []
        for case in self.cases:
            if not case.of_all:
                left.append(case)
            elif case.when(gateway, use):
                return Conditional(case.support, tuple(left)) if left else case.support
        return Conditional(self.usual, tuple(left)) if left else self.usual


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
            promised = _promised(self.entries[name], feature.uses(gateway), gateway)
            yield from ((name, support, uses) for support, uses in promised if support.fidelity is not Fidelity.EXACT)


def _promised(
    entry: Support | Conditional, uses: Iterator[Use], gateway: Gateway
) -> Iterable[tuple[Support, list[Use]]]:
    """The uses under each promise of `entry`. Nobody looks for those of what is always exact."""
    first = None if entry == EXACT else next(uses, None)
    if first is None:
        return ()
    left = entry.after(gateway, first) if isinstance(entry, Conditional) else entry
    if isinstance(left, Support):
        return ((left, [first, *uses]),) if left != EXACT else ()
    merged: dict[Support, list[Use]] = {}
    known: dict[int, list[Use]] = {}  # by identity: to hash a promise for each use is not cheap
    for use in chain((first,), uses):
        support = left.of(gateway, use)
        if (together := known.get(id(support))) is None:
            together = known[id(support)] = merged.setdefault(support, [])
        together.append(use)
    return merged.items()


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
    first, *others = _shown(uses)
    subjects = len({use.subject for use in uses})
    named = first.subject if subjects == 1 else f"{first.subject} and {subjects - 1} more"
    return Diagnostic(
        first.span,
        "GWC601" if unsupported_ else "GWC602",
        Severity.ERROR if unsupported_ else Severity.WARNING,
        f"{table.target} ({table.profile}) {verb} {name} for {named}: {support.note}",
        f"change the policy, or take it knowingly: targets.{table.target}.accept: [{name}]",
        tuple(Related(use.span, "and here") for use in others),
    )


def _shown(uses: list[Use]) -> tuple[Use, ...]:
    """As many as are named, each of another place, the written ones if there are any: to look for all takes time."""
    found: dict[Span, Use] = {}
    for use in uses:
        if (origin := use.origin).level is not Level.DEFAULT:
            found.setdefault(origin.span, use)
        if len(found) > MOST_RELATED:
            break
    return tuple(found.values()) or (uses[0],)


def spans(uses: Sequence[Sequence[Use]]) -> list[set[Span]]:
    """Where each of them is written. A service's are looked for together, so that its policy is opened once."""
    by_service: dict[str, list[Any]] = {}
    for number, some in enumerate(uses):
        for use in some:
            by_service.setdefault(use.subject.partition("/")[0], []).extend((number, use))
    found = [set[Span]() for _ in uses]
    for together in by_service.values():
        pairs = iter(together)
        for number, use in zip(pairs, pairs, strict=True):
            found[number].add(use.span)
    return found
