"""What a lint rule is: a small class whose docstring is its documentation, and what it finds in a Gateway."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import ClassVar

from gwc.diagnostics import Diagnostic, Fix, Related, Severity, Span
from gwc.frozen import dataclass
from gwc.ir import Gateway
from gwc.lint.context import Context

SECTIONS = ("What it does", "Why is this bad?", "Example", "Use instead", "References")
"""The headings of a rule's documentation, in this order. A rule without a source leaves the references out."""

Findings = Iterator["Finding"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule says about one subject (`shop/checkout`, or empty for the platform), before it is a Diagnostic."""

    span: Span
    subject: str
    message: str
    hint: str
    related: tuple[Related, ...] = ()
    fix: Fix | None = None


class Rule(ABC):
    """Base of all rules. `code` is stable for ever, `name` is what people call it."""

    code: ClassVar[str]
    name: ClassVar[str]
    severity: ClassVar[Severity] = Severity.WARNING
    everywhere: ClassVar[bool] = False
    """Whether a finding counts only if every environment has it, as for what is not needed."""

    @abstractmethod
    def findings(self, context: Context) -> Findings:
        """Everything that this rule finds, in any order."""

    def diagnostics(self, context: Context) -> Iterator[Diagnostic]:
        """One for each line and message: a line that many routes inherit is wrong once."""
        found: dict[tuple[Span, str], list[Finding]] = {}
        for finding in self.findings(context):
            found.setdefault((finding.span, finding.message), []).append(finding)
        for same in found.values():
            yield self._diagnostic(same)

    def _diagnostic(self, same: list[Finding]) -> Diagnostic:
        first = same[0]
        more = f" and {len(same) - 1} more" if len(same) > 1 else ""
        message = f"{first.subject}{more}: {first.message}" if first.subject else first.message
        return Diagnostic(first.span, self.code, self.severity, message, first.hint, first.related, first.fix)


class GatewayRule(Rule):
    """A rule that needs the Gateway alone: nearly all of them."""

    def findings(self, context: Context) -> Findings:
        return self.check(context.gateway)

    @abstractmethod
    def check(self, gateway: Gateway) -> Findings:
        """Everything that this rule finds, in any order."""


@dataclass(frozen=True, slots=True)
class Documentation:
    """A rule's docstring: its first line, and its sections by their headings."""

    summary: str
    sections: dict[str, str]


def documentation(rule: type[Rule]) -> Documentation:
    """Raises ValueError for a docstring without its sections."""
    import inspect

    text = inspect.getdoc(rule) or ""
    summary, *parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    sections = dict(zip(parts[::2], (part.strip() for part in parts[1::2]), strict=True))
    if missing := [name for name in SECTIONS[:-1] if not sections.get(name)]:
        raise ValueError(f"{rule.code} does not say: {', '.join(missing)}")
    return Documentation(summary.strip(), sections)


def page(rule: type[Rule]) -> str:
    """A rule's documentation as Markdown."""
    said = documentation(rule)
    sections = "".join(f"\n## {name}\n{said.sections[name]}\n" for name in SECTIONS if name in said.sections)
    return f"# {rule.code} {rule.name} ({rule.severity.word})\n{said.summary}\n{sections}"


_BLOCK = re.compile(
    r"^```(?:yaml|python)\n# ((?:policies|services)/[a-z0-9/_.-]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL
)


def examples(section: str) -> Iterable[tuple[str, str]]:
    """The files in a section: the path, and its text; a policy's is what it says beyond a plain one."""
    return _BLOCK.findall(section)
