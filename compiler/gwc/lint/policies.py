"""The rules about policies, in the order of the codes: those that run where no code is looked at."""

from __future__ import annotations

from gwc.lint import (
    access,
    cache,
    concurrency,
    cost,
    limits,
    operations,
    overlaps,
    perimeter,
    retries,
    routing,
    trust,
    upstream,
)
from gwc.lint.rule import Rule

_GROUPS = (
    retries,
    upstream,
    limits,
    cost,
    concurrency,
    cache,
    access,
    perimeter,
    trust,
    routing,
    overlaps,
    operations,
)

RULES: tuple[type[Rule], ...] = tuple(
    sorted(
        (rule for group in _GROUPS for rule in group.RULES),
        key=lambda rule: rule.code,
    )
)
