"""`gwc docs`: the whole platform as one HTML page."""

from __future__ import annotations

from typing import Annotated

import typer

from gwc.cli.exits import ExitCode
from gwc.cli.guard import guarded
from gwc.cli.options import Environment, Now, Policies, Targets

Source = Annotated[
    str | None,
    typer.Option("--source", help="Where policies can be read, with {file} and {line} in it.", metavar="URL"),
]
Page = Annotated[str, typer.Option("--output", "-o", help="The page; - prints it.", metavar="FILE")]


@guarded
def docs_command(
    output: Page = "gateway.html",
    policies: Policies = "policies",
    env: Environment = None,
    target: Targets = [],  # noqa: B006  typer copies it
    source: Source = None,
    now: Now = None,
) -> ExitCode:
    """Write one HTML page of all services and routes: what holds for each, who says so, what gateways keep of it."""
    from gwc.cli.documenting import check_output, check_source, publish, viewed
    from gwc.cli.job import Job, check_targets, parse_now

    check_targets(target)
    check_output(output)
    url = check_source(source)
    job = Job("docs")
    job.read(policies)
    return publish(job, output, url, viewed(job, env, parse_now(now), target))
