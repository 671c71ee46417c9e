"""`gwc import`: what teams have, as policies, with a report of everything that was not understood."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from gwc.cli.exits import ExitCode
from gwc.cli.guard import guarded
from gwc.cli.options import Force, Output, ReportFormat
from gwc.cli.options import Format as ReportAs


class Kind(StrEnum):
    """What can be imported."""

    OPENAPI = "openapi"
    NGINX = "nginx"
    KONG = "kong"
    ENVOY = "envoy"


@guarded
def import_command(
    kind: Annotated[Kind, typer.Argument(help="What the file is.", show_default=False)],
    file: Annotated[str, typer.Argument(metavar="FILE", help="The file, or - for standard input.")],
    output: Output = None,
    service: Annotated[
        str, typer.Option("--service", metavar="NAME", help="Name the one service, or choose one of several.")
    ] = "",
    endpoint: Annotated[
        str, typer.Option("--endpoint", metavar="URL", help="Where the service listens, whatever the file says.")
    ] = "",
    force: Force = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 when something was lost or bent.")] = False,
    format: ReportFormat = ReportAs.TEXT,
) -> ExitCode:
    """Turn what you have into policies, and say what of it was not understood.

    Without -o the policies go to standard output and the report to standard error; nothing is written.
    """
    from gwc.cli.importing import Importing

    importing = Importing(kind.value, file, output, format)
    importing.run(service, endpoint)
    importing.write(force=force)
    return importing.publish(strict=strict)
