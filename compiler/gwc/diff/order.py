"""What the change of a number means, by the order that its field has."""

from __future__ import annotations

from gwc.diff.change import Level
from gwc.policy.order import Tighter, tighter


def compared(field: str, old: float | None, new: float | None) -> Level:
    """`None` is no bound at all, the loosest there is."""
    if old is None or new is None:
        return Level.LOOSENED if new is None else Level.TIGHTENED
    lower = tighter(field) is Tighter.LOWER
    return Level.TIGHTENED if (new < old) is lower else Level.LOOSENED
