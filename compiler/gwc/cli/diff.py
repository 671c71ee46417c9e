"""`gwc diff`: what clients will feel, before the rollout."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from gwc.cli.exits import CommandError, ExitCode
from gwc.cli.guard import guarded
from gwc.cli.options import Environment, Now, Policies


class DiffFormat(StrEnum):
    """How the changes are printed."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"
    GITHUB = "github"


@guarded
def diff_command(
    against: Annotated[
        str | None,
        typer.Option("--against", metavar="REV|DIR", help="Default: where this branch left the main branch."),
    ] = None,
    policies: Policies = "policies",
    env: Environment = None,
    now: Now = None,
    format: Annotated[DiffFormat, typer.Option("--format", help="How to print the changes.")] = DiffFormat.TEXT,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="10 when something changed, 11 for --fail-on.")
    ] = False,
    fail_on: Annotated[
        str | None,
        typer.Option("--fail-on", metavar="LEVELS", help="Levels that exit with 11. Default: breaking,loosened."),
    ] = None,
) -> ExitCode:
    """Say what a change of the policies means for clients: breaking, tightened, loosened, added or neutral."""
    from gwc.cli.diffing import Diffing
    from gwc.cli.job import parse_now

    levels = _levels(fail_on)
    diffing = Diffing(policies, against, env, parse_now(now))
    diffing.run()
    diffing.publish(format.value)
    return diffing.outcome(levels) if exit_code or fail_on is not None else ExitCode.OK


def _levels(text: str | None) -> tuple[str, ...]:
    from gwc.diff import Level

    wanted = tuple(part.strip() for part in (text or "breaking,loosened").split(",") if part.strip())
    unknown = [one for one in wanted if one not in list(Level)]
    if unknown:
        known = ", ".join(Level)
        raise CommandError(ExitCode.USAGE, f"--fail-on {unknown[0]!r} is no level", f"known: {known}")
    return wanted
