"""The typer application. Commands import what they need when they run, so that help and mistakes answer at once."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from gwc.cli.compile import compile_command
from gwc.cli.diff import diff_command
from gwc.cli.docs import docs_command
from gwc.cli.explain import explain_command
from gwc.cli.help import Sections
from gwc.cli.imports import import_command
from gwc.cli.init import init_command
from gwc.cli.lint import lint_command
from gwc.cli.replay import replay_command
from gwc.cli.rule import rule_command
from gwc.cli.running.command import run_command
from gwc.cli.schema import schema_command
from gwc.cli.support import support_command
from gwc.cli.test import test_command
from gwc.cli.verify import verify_command

app = typer.Typer(
    name="gwc",
    no_args_is_help=True,
    cls=Sections,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from gwc import __version__

        sys.stdout.write(f"gwc {__version__}\n")
        raise typer.Exit


@app.callback()
def gwc(
    version: Annotated[
        bool, typer.Option("--version", "-V", help="Print the version and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """One policy a service, the same observable behaviour on Envoy, NGINX and Kong.

    Exit codes: 0 clean, 1 findings, 2 usage, 3 a target cannot express the policy, 4 environment, 70 internal error.
    """


app.command("compile")(compile_command)
app.command("verify")(verify_command)
app.command("lint")(lint_command)
app.command("rule")(rule_command)
app.command("diff")(diff_command)
app.command("replay")(replay_command)
app.command("explain")(explain_command)
app.command("run")(run_command)
app.command("init")(init_command)
app.command("import")(import_command)
app.command("test")(test_command)
app.command("schema")(schema_command)
app.command("support")(support_command)
app.command("docs")(docs_command)
