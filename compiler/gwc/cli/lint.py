"""`gwc lint`: mistakes with consequences, on every pull request and on an editor's save."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from gwc.cli.exits import ExitCode
from gwc.cli.guard import guarded
from gwc.cli.options import Environment, Now


class LintFormat(StrEnum):
    """How the findings are printed. Those of `gwc.cli.asking`, for typer."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"
    GITLAB = "gitlab"
    SARIF = "sarif"
    JUNIT = "junit"


class FailOn(StrEnum):
    """The least severity that fails."""

    WARNING = "warning"
    ERROR = "error"


_SELECTOR = "CODES"


@guarded
def lint_command(
    path: Annotated[list[str] | None, typer.Argument(help="Directories or files. Default: policies.")] = None,
    format: Annotated[LintFormat, typer.Option("--format", help="How to print the findings.")] = LintFormat.TEXT,
    select: Annotated[
        list[str], typer.Option("--select", metavar=_SELECTOR, help="Only these rules: GWC303, GWC3, a name.")
    ] = [],  # noqa: B006  typer copies it
    ignore: Annotated[list[str], typer.Option("--ignore", metavar=_SELECTOR, help="All but these rules.")] = [],  # noqa: B006  typer copies it
    fix: Annotated[bool, typer.Option("--fix", help="Mend what can be mended by itself.")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Print what --fix would change, and change nothing.")] = False,
    fail_on: Annotated[FailOn, typer.Option("--fail-on", help="The least severity that fails.")] = FailOn.WARNING,
    baseline: Annotated[
        str | None, typer.Option("--baseline", metavar="FILE", help="Report only what this file does not know.")
    ] = None,
    write_baseline: Annotated[
        str | None, typer.Option("--write-baseline", metavar="FILE", help="Write down today's findings.")
    ] = None,
    changed: Annotated[
        str | None, typer.Option("--changed", metavar="REV", help="Report only files that differ from REV.")
    ] = None,
    services: Annotated[
        str | None, typer.Option("--services", metavar="DIR", help="Read the services' own Python as well.")
    ] = None,
    env: Environment = None,
    now: Now = None,
    no_cache: Annotated[  # noqa: ARG001  answers that are kept are given before anything else is imported
        bool, typer.Option("--no-cache", help="Neither give an answer that was kept nor keep this one.")
    ] = False,
) -> ExitCode:
    """Find mistakes with consequences in policies: valid, and bound to page somebody."""
    from gwc.cli.asking import Asked
    from gwc.cli.linting import perform

    return perform(
        Asked(
            tuple(path or ()), format.value, tuple(select), tuple(ignore), fix, diff, fail_on.value, baseline,
            write_baseline, changed, services, env, now,
        )
    )  # fmt: skip
