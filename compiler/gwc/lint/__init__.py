"""Lint: what is valid and will still page somebody. Rules look at Gateways, so that inherited values count too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from gwc.diagnostics import Diagnostic
from gwc.lint import about
from gwc.lint.context import Context
from gwc.lint.rule import Rule

__all__ = ["Context", "lint"]


def lint(contexts: Sequence[Context], rules: Sequence[type[Rule]]) -> tuple[Diagnostic, ...]:
    """What `rules` find in any of the environments, sorted, each finding once."""
    asked = [rule() for rule in rules]
    counted = {rule.code: Counter[Diagnostic]() for rule in asked}
    for context in contexts:  # one after the other, for what rules share is derived from one Gateway
        for rule in asked:
            if rule.everywhere or about.may_differ(len(context.gateway.services), context.changed, type(rule)):
                counted[rule.code].update(set(rule.diagnostics(context)))
    return tuple(sorted({found for rule in asked for found in _found(rule, counted[rule.code], len(contexts))}))


def _found(rule: Rule, counted: Counter[Diagnostic], environments: int) -> Iterator[Diagnostic]:
    """What a rule calls needless has to be so in every environment."""
    needed = environments if rule.everywhere else 1
    yield from (found for found, times in counted.items() if times >= needed)
