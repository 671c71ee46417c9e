"""`gwc explain`: one request, followed through the policies."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from gwc.cli.exits import CommandError, ExitCode
from gwc.cli.guard import guarded, say
from gwc.cli.options import Environment, Format, Now, Policies, ReportFormat, Targets

if TYPE_CHECKING:
    from gwc.cli.job import Job
    from gwc.explain.explanation import Explanation

_REQUEST = 'As in "POST /v1/ask", "GET https://api.example.com/v1/items" or /v1/items.'


@guarded
def explain_command(
    request: Annotated[str, typer.Argument(help=_REQUEST)],
    user: Annotated[str | None, typer.Option("--user", metavar="USER", help="The verified user who asks.")] = None,
    host: Annotated[str | None, typer.Option("--host", metavar="NAME", help="The host that is asked.")] = None,
    target: Targets = [],  # noqa: B006 - typer copies it
    policies: Policies = "policies",
    env: Environment = None,
    now: Now = None,
    format: ReportFormat = Format.TEXT,
) -> ExitCode:
    """Say which route answers a request, what holds for it, and which line of which policy says so.

    With -t also the lines of that gateway's rendered configuration that implement each value.
    """
    from gwc.cli.explaining import Wanted, explained
    from gwc.cli.job import Job, check_targets, parse_now
    from gwc.explain.asked import AskedError, read_request

    check_targets(target)
    try:
        asked = read_request(request, host)
    except AskedError as error:
        raise CommandError(ExitCode.USAGE, str(error)) from error
    job = Job("explain", format)
    job.read(policies)
    gateway = job.resolve(env, parse_now(now))
    if gateway is None:
        return job.publish(job.outcome, "nothing explained")
    return _publish(job, explained(job, gateway, Wanted(asked, user, tuple(target))))


def _publish(job: Job, said: Explanation) -> ExitCode:
    if job.format is Format.JSON:
        from gwc.report.explained_json import as_jsonable

        return job.publish(job.outcome, "", as_jsonable(said))
    from gwc.report.explained import as_text
    from gwc.report.style import style_for

    sys.stdout.write(as_text(said, job.texts, style_for(sys.stdout)))
    if job.report.failed:
        say("a gateway cannot express these policies, so its lines are left out: gwc compile says why")
    return job.outcome
