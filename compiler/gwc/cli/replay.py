"""`gwc replay`: recorded traffic through the old and the new policies."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated

import typer

from gwc.cli.exits import ExitCode
from gwc.cli.guard import guarded
from gwc.cli.options import Against, Environment, Host, Log, Now, Policies, ReadAs, ShowUsers, Targets


class ReplayFormat(StrEnum):
    """How the result is printed."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"
    HTML = "html"


@guarded
def replay_command(
    log: Annotated[str, typer.Argument(help="An access log, also as gzip or Zstandard; - for standard input.")],
    against: Against = None,
    target: Targets = [],  # noqa: B006 - typer copies it
    policies: Policies = "policies",
    env: Environment = None,
    now: Now = None,
    log_format: ReadAs = None,
    host: Host = "",
    format: Annotated[ReplayFormat, typer.Option("--format", help="How to print the result.")] = ReplayFormat.TEXT,
    show_users: ShowUsers = False,
) -> ExitCode:
    """Say who would have been refused, cached or timed out, had these policies been there."""
    from gwc.cli.diffing import Diffing
    from gwc.cli.job import check_targets, parse_now
    from gwc.cli.replaying import replayed

    check_targets(target)
    diffing = Diffing(policies, against, env, parse_now(now))
    old, new = diffing.sides()
    how = Log(log_format, host, show_users)
    sys.stdout.write(replayed(log, old, new, how, format.value, diffing.shown, target))
    return ExitCode.OK
