"""A change between two Gateways, as clients and the platform feel it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from gwc.diagnostics import Span
from gwc.ir import Origin


class Level(StrEnum):
    """What a change means for clients, the gravest first."""

    BREAKING = "breaking"
    """Requests that worked are now always refused or lost."""
    TIGHTENED = "tightened"
    """Requests may now be refused, depending on traffic."""
    LOOSENED = "loosened"
    """Protection is lowered."""
    ADDED = "added"
    """Something new is served."""
    NEUTRAL = "neutral"
    """Clients notice nothing."""


@dataclass(frozen=True, slots=True)
class Value:
    """A value as a policy would write it, and who wrote it."""

    text: str
    origin: Origin


@dataclass(frozen=True, slots=True)
class Difference:
    """One field of one subject. `old` or `new` is None where there was, or is, nothing."""

    level: Level
    field: str
    old: Value | None
    new: Value | None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a difference is about: a route, a service, or the platform (both names empty)."""

    service: str
    route: str
    owner: str

    def __str__(self) -> str:
        return "/".join(part for part in (self.service, self.route) if part) or "the platform"


@dataclass(frozen=True, slots=True)
class Change:
    """The same difference of one or more subjects: a line that many routes inherit changes once."""

    level: Level
    field: str
    old: str | None
    new: str | None
    old_span: Span | None
    new_span: Span | None
    note: str
    inherited: bool
    subjects: tuple[Subject, ...]
    targets: tuple[str, ...] = ()

    @property
    def services(self) -> tuple[str, ...]:
        return tuple(sorted({subject.service for subject in self.subjects if subject.service}))

    @property
    def owners(self) -> tuple[str, ...]:
        return tuple(sorted({subject.owner for subject in self.subjects if subject.owner}))
