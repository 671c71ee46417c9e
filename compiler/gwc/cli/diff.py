"""`gwc diff`: what clients will feel, before the rollout."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from gwc.cli.exits import CommandError, ExitCode
from gwc.cli.guard import guarded, in_one_go
from gwc.cli.options import AgainstLive, Environment, Host, Log, Now, Policies, ReadAs, ShowUsers, Targets

if TYPE_CHECKING:
    from gwc.cli.asking_diff import AskedDiff
    from gwc.cli.diffing import Diffing


class DiffFormat(StrEnum):
    """How the changes are printed. Those of `gwc.cli.asking_diff`, for typer."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"
    GITHUB = "github"


@guarded
@in_one_go
def diff_command(
    against: AgainstLive = None,
    target: Targets = [],  # noqa: B006 - typer copies it
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
    traffic: Annotated[
        str | None, typer.Option("--traffic", metavar="LOG", help="Also replay an access log through both sides.")
    ] = None,
    log_format: ReadAs = None,
    host: Host = "",
    show_users: ShowUsers = False,
) -> ExitCode:
    """Say what a change of the policies means for clients: breaking, tightened, loosened, added or neutral."""
    from gwc.cli.asking_diff import LIVE, AskedDiff
    from gwc.cli.diffing import perform

    asked = AskedDiff(against, tuple(target), policies, env, now, format.value, exit_code, fail_on)
    if against is not None and against.startswith(LIVE):
        return _live(asked, traffic)
    if traffic is None:
        return perform(asked)
    log = Log(log_format, host, show_users)
    return perform(asked, lambda diffing: _replayed(diffing, traffic, log, format))


def _live(asked: AskedDiff, traffic: str | None) -> ExitCode:
    from gwc.cli.diffing import among, diffing_of
    from gwc.cli.drifting import KINDS, Drifting

    diffing = diffing_of(asked)
    if traffic is not None:
        raise CommandError(ExitCode.USAGE, "--traffic needs policies on both sides", "a gateway shows only its output")
    kinds = among(asked.fail_on or "", KINDS, "kind of difference")
    drifting = Drifting(diffing, diffing.targets)
    drifting.run()
    drifting.publish(asked.format)
    return drifting.outcome(kinds) if asked.judges else ExitCode.OK


def _replayed(diffing: Diffing, traffic: str, log: Log, form: DiffFormat) -> str:
    """In the format of the diff; annotations have no place for it, and get the text."""
    from gwc.cli.replaying import replayed

    assert diffing.before is not None and diffing.after is not None
    plain = "text" if form is DiffFormat.GITHUB else form.value
    return replayed(traffic, diffing.before, diffing.after, log, plain, diffing.shown, diffing.targets)
