"""`gwc run`: the real gateway on this machine, from the policies, for as long as somebody wants it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from gwc.cli.completing import target_names
from gwc.cli.exits import CommandError, ExitCode
from gwc.cli.guard import guarded
from gwc.cli.options import Environment, Now, Policies


class Log(StrEnum):
    """How requests are printed."""

    TEXT = "text"
    JSON = "json"


_Target = typer.Option("--target", "-t", metavar="TARGET", help="The gateway to run.", autocompletion=target_names)
_Port = typer.Option("--port", metavar="PORT", min=1, max=65535, help="For clients. Default: that of the policies.")
_Admin = typer.Option(
    "--admin-port", metavar="PORT", min=1, max=65535, help="For metrics. Default: that of the policies."
)
_SERVICE = "A command to start beside the gateway: the service behind it."
_SECRETS = "Make throw-away secrets up, and tokens, where the policies name some that are not there."


@guarded
def run_command(
    target: Annotated[str, _Target] = "envoy",
    policies: Policies = "policies",
    env: Environment = None,
    now: Now = None,
    port: Annotated[int | None, _Port] = None,
    admin_port: Annotated[int | None, _Admin] = None,
    with_service: Annotated[str | None, typer.Option("--with-service", metavar="COMMAND", help=_SERVICE)] = None,
    dev_secrets: Annotated[bool, typer.Option("--dev-secrets", help=_SECRETS)] = False,
    dev_user: Annotated[
        list[str] | None, typer.Option("--dev-user", metavar="USER", help="Whom to make a token for. Default: dev.")
    ] = None,
    log: Annotated[Log, typer.Option("--log", help="How to print requests.")] = Log.TEXT,
) -> ExitCode:
    """Run the real gateway on this machine, from the policies, reloading when they change.

    It listens on 127.0.0.1 alone. Ctrl-C ends it when the requests in flight are answered.
    """
    from gwc.cli.job import check_targets, parse_now
    from gwc.cli.running.ending import Ending
    from gwc.cli.running.session import Session
    from gwc.cli.running.wanted import Wanted
    from gwc.source import STDIN

    check_targets([target])
    if policies == STDIN:
        raise CommandError(ExitCode.USAGE, "standard input cannot be watched", "name a directory or a file")
    if dev_user and not dev_secrets:
        raise CommandError(ExitCode.USAGE, "--dev-user needs --dev-secrets", "real tokens come from your issuer")
    users = tuple(dev_user or ("dev",))
    wanted = Wanted(
        target, policies, env, parse_now(now), port, admin_port, with_service, dev_secrets, users, log is Log.JSON
    )
    with Ending() as ending:
        return Session(wanted, ending).run()
