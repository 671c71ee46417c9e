"""The stages in which limits count: per address before authentication, the others after it, shadows apart."""

from __future__ import annotations

from dataclasses import dataclass

from gwc.ir import Limit, LimitKey


@dataclass(frozen=True, slots=True)
class Stage:
    """`number` is Envoy's; a route's limits name it. `family` tells the gateway's own buckets from shared ones."""

    number: int
    early: bool
    shadow: bool
    family: str = "gwc.limits"

    @property
    def name(self) -> str:
        return f"{self.family}.{'ip' if self.early else 'caller'}{'.shadow' if self.shadow else ''}"

    def holds(self, limit: Limit) -> bool:
        return (limit.key is LimitKey.IP) is self.early and limit.shadow is self.shadow


BEFORE_AUTH = (Stage(1, early=True, shadow=True), Stage(0, early=True, shadow=False))
AFTER_AUTH = (Stage(3, early=False, shadow=True), Stage(2, early=False, shadow=False))
"""Of the gateway's own buckets. Shadows come first: they count what an enforced limit of the stage refuses, too."""


def stage_of(limit: Limit) -> Stage:
    """The one in which the gateway's own buckets hold the limit."""
    return next(stage for stage in (*BEFORE_AUTH, *AFTER_AUTH) if stage.holds(limit))
