"""`gwc support`: what every gateway promises of every feature, under the names that `accept` takes."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated

import typer

from gwc.cli.exits import ExitCode
from gwc.cli.guard import guarded
from gwc.cli.options import Targets


class Format(StrEnum):
    """How the matrix is printed."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"


@guarded
def support_command(
    target: Targets = [],  # noqa: B006  typer copies it
    format: Annotated[Format, typer.Option("--format", help="How to print the matrix.")] = Format.TEXT,
) -> ExitCode:
    """Print what each gateway promises of each feature.

    Features are spelt as targets.<name>.accept in the platform policy takes them.
    """
    from gwc.cli.job import check_targets
    from gwc.discovery import load_targets
    from gwc.report import matrix

    check_targets(target)
    tables = [one.target.support(profile) for one in load_targets(target) for profile in one.target.profiles]
    render = {Format.TEXT: matrix.as_text, Format.JSON: matrix.as_json, Format.MARKDOWN: matrix.as_markdown}[format]
    sys.stdout.write(render(tables))
    return ExitCode.OK
