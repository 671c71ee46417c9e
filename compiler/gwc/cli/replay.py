"""`gwc replay`: recorded traffic through the old and the new policies."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated

import typer

from gwc.cli.exits import CommandError, ExitCode
from gwc.cli.guard import guarded
from gwc.cli.options import Environment, Now, Policies


class ReplayFormat(StrEnum):
    """How the result is printed."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"
    HTML = "html"


class LogFormat(StrEnum):
    """What the lines of the log are."""

    GWC = "gwc"
    COMBINED = "combined"
    ENVOY = "envoy"
    KONG = "kong"


@guarded
def replay_command(
    log: Annotated[str, typer.Argument(help="An access log, also as gzip or Zstandard; - for standard input.")],
    against: Annotated[
        str | None,
        typer.Option("--against", metavar="REV|DIR", help="Default: where this branch left the main branch."),
    ] = None,
    policies: Policies = "policies",
    env: Environment = None,
    now: Now = None,
    log_format: Annotated[
        LogFormat | None, typer.Option("--log-format", help="Default: what the first lines look like.")
    ] = None,
    host: Annotated[
        str, typer.Option("--host", metavar="NAME", help="The host of lines that name none, as in the combined format.")
    ] = "",
    format: Annotated[ReplayFormat, typer.Option("--format", help="How to print the result.")] = ReplayFormat.TEXT,
    show_users: Annotated[bool, typer.Option("--show-users", help="Print users as they are, not hashed.")] = False,
) -> ExitCode:
    """Say who would have been refused, cached or timed out, had these policies been there."""
    from gwc.cli.diffing import Diffing
    from gwc.cli.job import parse_now
    from gwc.cli.progress import progress
    from gwc.replay.compare import Replay
    from gwc.replay.reading import Counts, LogError, entries, opened
    from gwc.report import replayed

    diffing = Diffing(policies, against, env, parse_now(now))
    old, new = diffing.sides()
    counts, replay = Counts(), Replay(old, new, named=show_users)
    try:
        with opened(log) as text, progress("replaying"):
            replay.run(entries(text, log_format.value if log_format else None, counts, host))
    except LogError as error:
        raise CommandError(ExitCode.USAGE, str(error), "name an access log, and its --log-format") from error
    render = {
        "text": replayed.as_text,
        "json": replayed.as_json,
        "markdown": replayed.as_markdown,
        "html": replayed.as_html,
    }
    sys.stdout.write(render[format.value](replay.result, counts, diffing.shown))
    return ExitCode.OK
