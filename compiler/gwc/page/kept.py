"""What each gateway keeps of each feature here: the promises of its table, applied to what the policies use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from gwc.features import FEATURES, Feature, Use
from gwc.ir import Gateway
from gwc.report.matrix import promises
from gwc.support import Fidelity, Support, SupportTable

_ORDER = tuple(Fidelity)
PLATFORM = "the platform"
"""The subject of what no service writes."""


@dataclass(frozen=True, slots=True)
class Note:
    """Something below exact that a target does for `subjects`; `accepted` when the platform took it knowingly."""

    target: str
    feature: str
    fidelity: Fidelity
    text: str
    accepted: bool
    subjects: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cell:
    """One target and one feature. `fidelity` is the worst over all uses, or the usual promise where there is none."""

    target: str
    fidelity: Fidelity
    accepted: bool
    notes: tuple[Note, ...]
    depends: bool
    """Whether another value would be kept otherwise."""


@dataclass(frozen=True, slots=True)
class Row:
    feature: str
    summary: str
    subjects: tuple[str, ...]
    cells: tuple[Cell, ...]

    @property
    def used(self) -> bool:
        return bool(self.subjects)

    @property
    def exact(self) -> bool:
        return all(cell.fidelity is Fidelity.EXACT for cell in self.cells)


def worst(fidelities: Sequence[Fidelity]) -> Fidelity:
    return max(fidelities, key=_ORDER.index, default=Fidelity.EXACT)


def rows(gateway: Gateway, tables: Sequence[SupportTable]) -> tuple[Row, ...]:
    """One for each feature of the language."""
    return tuple(_row(gateway, tables, feature) for feature in FEATURES.values())


def by_subject(matrix: Sequence[Row]) -> Mapping[str, tuple[Note, ...]]:
    """What is below exact for each route, service and the platform."""
    found: dict[str, list[Note]] = {}
    for note in (note for row in matrix for cell in row.cells for note in cell.notes):
        for subject in note.subjects:
            found.setdefault(subject, []).append(note)
    return {subject: tuple(notes) for subject, notes in found.items()}


def _row(gateway: Gateway, tables: Sequence[SupportTable], feature: Feature) -> Row:
    uses = tuple(feature.uses(gateway))
    subjects = tuple(dict.fromkeys(use.subject for use in uses))
    return Row(feature.name, feature.summary, subjects, tuple(_cell(gateway, table, feature, uses) for table in tables))


def _cell(gateway: Gateway, table: SupportTable, feature: Feature, uses: Sequence[Use]) -> Cell:
    options = gateway.targets.get(table.target)
    accepted = options is not None and feature.name in options.accept
    found: dict[Support, dict[str, None]] = {}
    for use in uses:
        found.setdefault(table.of(feature.name, gateway, use), {})[use.subject] = None
    notes = tuple(_notes(table.target, feature.name, accepted, found))
    every = promises(table.entries[feature.name])
    fidelity = worst([support.fidelity for support in found]) if uses else every[0].support.fidelity
    return Cell(table.target, fidelity, accepted, notes, len(every) > 1)


def _notes(target: str, feature: str, accepted: bool, found: Mapping[Support, Mapping[str, None]]) -> Iterator[Note]:
    for support, subjects in found.items():
        if support.fidelity is not Fidelity.EXACT:
            yield Note(target, feature, support.fidelity, support.note, accepted, tuple(subjects))
