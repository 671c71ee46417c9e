"""`gwc rule`: what a rule of lint looks for, and why; or all of them."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from gwc.cli.completing import rule_codes
from gwc.cli.exits import CommandError, ExitCode
from gwc.cli.guard import guarded


@guarded
def rule_command(
    code: Annotated[
        str | None,
        typer.Argument(help="A code, its beginning, or a name. Default: a list of all.", autocompletion=rule_codes),
    ] = None,
) -> ExitCode:
    """Print what lint's rules look for, and why."""
    from gwc.lint.registry import RULES
    from gwc.lint.rule import documentation, page
    from gwc.lint.select import UnknownRuleError, fitting

    if code is None:
        for rule in RULES:
            sys.stdout.write(f"{rule.code} {rule.severity.word:7} {rule.name:28} {documentation(rule).summary}\n")
        return ExitCode.OK
    try:
        sys.stdout.write("\n".join(page(rule) for rule in fitting(RULES, code)))
    except UnknownRuleError as error:
        raise CommandError(ExitCode.USAGE, str(error), error.hint) from error
    return ExitCode.OK
