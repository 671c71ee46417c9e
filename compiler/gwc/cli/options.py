"""The options that several commands share."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class Format(StrEnum):
    """How a report is printed."""

    TEXT = "text"
    JSON = "json"


Targets = Annotated[
    list[str],
    typer.Option("--target", "-t", help="A gateway to compile for; repeatable. Default: all.", metavar="TARGET"),
]
Policies = Annotated[str, typer.Option("--policies", help="A directory, a file, or -.", metavar="PATH")]
Environment = Annotated[str | None, typer.Option("--env", help="The environment to merge in.", metavar="ENV")]
Now = Annotated[
    str | None, typer.Option("--now", help="The day at which dates are judged. Default: today.", metavar="DATE")
]
ReportFormat = Annotated[Format, typer.Option("--format", help="How to print the report.")]
