"""Every rule, in the order of the codes."""

from __future__ import annotations

from gwc.lint import policies
from gwc.lint.code import cached, contract, owned, signals
from gwc.lint.rule import Rule

_OF_CODE = (owned, signals, cached, contract)

RULES: tuple[type[Rule], ...] = tuple(
    sorted(
        (*policies.RULES, *(rule for group in _OF_CODE for rule in group.RULES)),
        key=lambda rule: rule.code,
    )
)
