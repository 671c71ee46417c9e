"""What a target promises of each feature. `gwc.survey` holds a Gateway against it.

Three locks keep features from being dropped: the table refuses to exist when one is missing, everything below exact
carries the note that the user reads, and the perturbation test holds the table against the output.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum

from gwc.features import FEATURES, Use
from gwc.frozen import dataclass
from gwc.ir import Gateway


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


Words = tuple[object, ...]
"""Plain data, whose repr says all of it."""


@dataclass(frozen=True, slots=True)
class Case:
    """`support` instead of the usual promise for a use that `when` picks; `condition` words it for the tables.

    `when` looks at the platform and at the service of the use, for it may be asked in a Gateway without the others
    (`gwc.survey`). What it has to know of those `across` tells, which looks at all of them; `when` gets it as a third
    word. Of the platform's own uses it is asked in the whole Gateway.
    `of_all`: it picks all uses in a Gateway or none, and so is asked of one of them.
    """

    condition: str
    when: Callable[..., bool]
    support: Support
    of_all: bool = False
    across: Callable[[Gateway], Words] | None = None

    def told(self, gateway: Gateway) -> Case:
        """The same, once it has been told of all services of this Gateway."""
        if self.across is None:
            return self
        words = self.across(gateway)
        return Case(self.condition, lambda asked, use: self.when(asked, use, words), self.support, self.of_all)


@dataclass(frozen=True, slots=True)
class Conditional:
    """A promise that depends on the value: the first case that applies, otherwise `usual`."""

    usual: Support
    cases: tuple[Case, ...]

    def of(self, gateway: Gateway, use: Use) -> Support:
        for case in self.cases:
            if case.told(gateway).when(gateway, use):
                return case.support
        return self.usual

    def told(self, gateway: Gateway) -> Conditional:
        """For uses in a Gateway that has one of the services of this one."""
        return Conditional(self.usual, tuple([case.told(gateway) for case in self.cases]))

    def after(self, gateway: Gateway, use: Use) -> Support | Conditional:
        """What is left to ask of each use, once `use` has told what holds of all."""
        left: list[Case] = []
        for case in self.cases:
            if not case.of_all:
                left.append(case)
            elif case.when(gateway, use):
                return Conditional(case.support, tuple(left)) if left else case.support
        return Conditional(self.usual, tuple(left)) if left else self.usual


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

    def words(self, gateway: Gateway) -> str:
        """All that it promises, and what its cases are told of all services. How they decide is code."""
        entries = [(name, supports(entry), across(entry, gateway)) for name, entry in self.entries.items()]
        return repr((self.target, self.profile, entries))


def supports(entry: Support | Conditional) -> tuple[Support, ...]:
    """All promises of an entry, each once."""
    return tuple(dict.fromkeys(_all(entry)))


def numbers(entry: Support | Conditional) -> dict[int, int]:
    """The place in `supports` of each promise of an entry, by its identity: to hash one for each use is not cheap."""
    return {id(one): supports(entry).index(one) for one in _all(entry)}


def _all(entry: Support | Conditional) -> tuple[Support, ...]:
    return (entry,) if isinstance(entry, Support) else (entry.usual, *(case.support for case in entry.cases))


def across(entry: Support | Conditional, gateway: Gateway) -> list[Words]:
    cases = entry.cases if isinstance(entry, Conditional) else ()
    return [case.across(gateway) for case in cases if case.across is not None]
