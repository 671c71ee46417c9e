"""Which rules run: by code, by the beginning of a code, or by name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gwc.lint.rule import Rule
from gwc.suggest import did_you_mean


class UnknownRuleError(Exception):
    """A selector that fits no rule; `hint` is the closest of the `known` codes and names, or where to find them."""

    def __init__(self, selector: str, known: Sequence[str]) -> None:
        super().__init__(f"no rule fits {selector!r}")
        self.hint = did_you_mean(selector, known) or "gwc rule lists all of them"


def selected(rules: Sequence[type[Rule]], select: Iterable[str], ignore: Iterable[str]) -> tuple[type[Rule], ...]:
    """Those that `select` fits (all, when it is empty) and `ignore` does not. Raises UnknownRuleError."""
    chosen = {rule for selector in select for rule in fitting(rules, selector)} or set(rules)
    left_out = {rule for selector in ignore for rule in fitting(rules, selector)}
    return tuple(rule for rule in rules if rule in chosen - left_out)


def fitting(rules: Sequence[type[Rule]], selector: str) -> tuple[type[Rule], ...]:
    """The rules of a code, of all codes that begin so (`GWC3`), or of a name. Raises UnknownRuleError."""
    code = selector.upper()
    found = tuple(r for r in rules if selector == r.name or (code.startswith("GWC") and r.code.startswith(code)))
    if not found:
        raise UnknownRuleError(selector, [*(rule.code for rule in rules), *(rule.name for rule in rules)])
    return found
