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
    return tuple(sorted({found for rule in rules for found in _found(rule(), contexts)}))


def _may_differ(rule: Rule, context: Context) -> bool:
    """Whether the rule could find anything here that it does not find in the policies as they are."""
    return context.changed is None or not context.changed.isdisjoint(about.names(type(rule)))


def _found(rule: Rule, contexts: Sequence[Context]) -> Iterator[Diagnostic]:
    """What a rule calls needless has to be so in every environment."""
    asked = contexts if rule.everywhere else [context for context in contexts if _may_differ(rule, context)]
    counted = Counter(found for context in asked for found in set(rule.diagnostics(context)))
    needed = len(contexts) if rule.everywhere else 1
    yield from (found for found, times in counted.items() if times >= needed)
