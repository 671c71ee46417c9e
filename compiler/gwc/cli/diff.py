"""`gwc diff`: what clients will feel, before the rollout."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from gwc.cli.exits import CommandError, ExitCode
from gwc.cli.guard import guarded, in_one_go
from gwc.cli.options import AgainstLive, Environment, Host, Log, Now, Policies, ReadAs, ShowUsers, Targets

if TYPE_CHECKING:
    from gwc.cli.diffing import Diffing


class DiffFormat(StrEnum):
    """How the changes are printed."""

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
    from gwc.cli.diffing import Diffing
    from gwc.cli.job import check_targets, parse_now
    from gwc.cli.progress import progress

    check_targets(target)
    diffing = Diffing(policies, against, env, parse_now(now), target)
    wanted = exit_code or fail_on is not None
    if against is not None and against.startswith("live:"):
        return _live(diffing, format, fail_on, traffic, wanted=wanted)
    levels = _levels(fail_on)
    with progress("comparing"):
        diffing.run()
    said = _replayed(diffing, traffic, Log(log_format, host, show_users), format) if traffic is not None else ""
    diffing.publish(format.value, said)
    return diffing.outcome(levels) if wanted else ExitCode.OK


def _live(diffing: Diffing, form: DiffFormat, fail_on: str | None, traffic: str | None, *, wanted: bool) -> ExitCode:
    from gwc.cli.drifting import KINDS, Drifting

    if traffic is not None:
        raise CommandError(ExitCode.USAGE, "--traffic needs policies on both sides", "a gateway shows only its output")
    kinds = _among(fail_on or "", KINDS, "kind of difference")
    drifting = Drifting(diffing, diffing.targets)
    drifting.run()
    drifting.publish(form.value)
    return drifting.outcome(kinds) if wanted else ExitCode.OK


def _replayed(diffing: Diffing, traffic: str, log: Log, form: DiffFormat) -> str:
    """In the format of the diff; annotations have no place for it, and get the text."""
    from gwc.cli.replaying import replayed

    assert diffing.before is not None and diffing.after is not None
    plain = "text" if form is DiffFormat.GITHUB else form.value
    return replayed(traffic, diffing.before, diffing.after, log, plain, diffing.shown, diffing.targets)


def _levels(text: str | None) -> tuple[str, ...]:
    from gwc.diff import Level

    return _among(text or "breaking,loosened", tuple(Level), "level")


def _among(text: str, known: tuple[str, ...], what: str) -> tuple[str, ...]:
    wanted = tuple(part.strip() for part in text.split(",") if part.strip())
    unknown = [one for one in wanted if one not in known]
    if unknown:
        raise CommandError(ExitCode.USAGE, f"--fail-on {unknown[0]!r} is no {what}", f"known: {', '.join(known)}")
    return wanted
