"""What a shell completes beside commands and options. Whatever goes wrong here completes nothing, and says nothing."""

from __future__ import annotations

import typer


def target_names(incomplete: str) -> list[str]:
    from gwc.discovery import target_names as installed

    return [name for name in installed() if name.startswith(incomplete)]


def environment_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Of the policies that the command line names so far. Those that cannot be read have none."""
    from gwc.diagnostics import Report
    from gwc.document import parse
    from gwc.policy.load import environments
    from gwc.source import STDIN, SourceError, read_policies

    policies = ctx.params.get("policies") or "policies"
    report = Report()
    try:
        sources = read_policies(policies, report) if policies != STDIN else ()
    except SourceError:
        return []
    documents = [document for source in sources if (document := parse(source, report)) is not None]
    known = {name for document in documents for name in environments(document)}
    return sorted(name for name in known if name.startswith(incomplete))


def rule_codes(incomplete: str) -> list[str]:
    from gwc.lint.registry import RULES

    return [rule.code for rule in RULES if rule.code.startswith(incomplete)]
