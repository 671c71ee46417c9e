"""The options that several commands share."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import typer

from gwc.cli.completing import environment_names, target_names


class Format(StrEnum):
    """How a report is printed."""

    TEXT = "text"
    JSON = "json"


Targets = Annotated[
    list[str],
    typer.Option(
        "--target",
        "-t",
        help="A gateway to compile for; repeatable. Default: all.",
        metavar="TARGET",
        autocompletion=target_names,
    ),
]
Policies = Annotated[str, typer.Option("--policies", help="A directory, a file, or -.", metavar="PATH")]
Environment = Annotated[
    str | None,
    typer.Option("--env", help="The environment to merge in.", metavar="ENV", autocompletion=environment_names),
]
Now = Annotated[
    str | None, typer.Option("--now", help="The day at which dates are judged. Default: today.", metavar="DATE")
]
Output = Annotated[
    str | None, typer.Option("--output", "-o", metavar="DIR", help="Write the policies into this directory.")
]
Force = Annotated[bool, typer.Option("--force", help="Overwrite files that are there already.")]
NoCache = Annotated[bool, typer.Option("--no-cache", help="Neither give an answer that was kept nor keep this one.")]
ReportFormat = Annotated[Format, typer.Option("--format", help="How to print the report.")]

_LEFT_MAIN = "Default: where this branch left the main branch."
Against = Annotated[str | None, typer.Option("--against", metavar="REV|DIR|BUILD", help=_LEFT_MAIN)]
AgainstLive = Annotated[str | None, typer.Option("--against", metavar="REV|DIR|BUILD|live:URL", help=_LEFT_MAIN)]


class LogFormat(StrEnum):
    """What the lines of the log are."""

    GWC = "gwc"
    COMBINED = "combined"
    ENVOY = "envoy"
    KONG = "kong"


ReadAs = Annotated[LogFormat | None, typer.Option("--log-format", help="Default: what the first lines look like.")]
Host = Annotated[
    str, typer.Option("--host", metavar="NAME", help="The host of lines that name none, as in the combined format.")
]
ShowUsers = Annotated[bool, typer.Option("--show-users", help="Print users as they are, not hashed.")]


@dataclass(frozen=True, slots=True)
class Log:
    """How a log is read, and whether users may be named."""

    format: LogFormat | None
    host: str
    show_users: bool
