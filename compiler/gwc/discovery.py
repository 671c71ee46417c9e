"""Which targets there are: the entry points of the group `gwc.targets`, whichever distribution brings them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import cast

from gwc.suggest import UnknownNameError
from gwc.target import Target

GROUP = "gwc.targets"


@dataclass(frozen=True, slots=True)
class InstalledTarget:
    """A target and the distribution that brought it, as `name version`."""

    target: Target
    distribution: str


@cache
def _entry_points() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name)}


def target_names() -> tuple[str, ...]:
    """All names, sorted. Imports no target."""
    return tuple(_entry_points())


def check_names(names: Iterable[str]) -> None:
    """Raises UnknownNameError for the first of `names` that no installed target has. Imports no target."""
    for name in names:
        if name not in _entry_points():
            raise UnknownNameError("target", name, target_names())


def load_targets(names: Sequence[str]) -> tuple[InstalledTarget, ...]:
    """The targets of `names` in sorted order, each once; of no names: all. Raises UnknownNameError."""
    check_names(names)
    return tuple(_load(_entry_points()[name]) for name in sorted(set(names) or target_names()))


def _load(entry: EntryPoint) -> InstalledTarget:
    brought_by = f"{entry.dist.name} {entry.dist.version}" if entry.dist else "unknown"
    return InstalledTarget(cast(Target, entry.load()), brought_by)
