"""Lint: what is valid and will still page somebody. Rules look at a Gateway, so that inherited values count too."""

from __future__ import annotations

from collections.abc import Sequence

from gwc.diagnostics import Diagnostic
from gwc.ir import Gateway
from gwc.lint.rule import Rule

__all__ = ["lint"]


def lint(gateway: Gateway, rules: Sequence[type[Rule]]) -> tuple[Diagnostic, ...]:
    """What `rules` find, sorted."""
    return tuple(sorted({found for rule in rules for found in rule().diagnostics(gateway)}))
