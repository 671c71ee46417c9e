"""`gwc test`: the teams' own tests of their policies."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from gwc.cli.exits import ExitCode
from gwc.cli.guard import guarded
from gwc.cli.options import Environment, Now, Policies


class TestFormat(StrEnum):
    """How the result is printed."""

    __test__ = False  # no test of pytest's

    TEXT = "text"
    JSON = "json"
    JUNIT = "junit"


@guarded
def test_command(
    file: Annotated[list[str] | None, typer.Argument(help="Files of tests. Default: policies/tests/*.yaml.")] = None,
    engine: Annotated[
        list[str],
        typer.Option("--engine", metavar="ENGINE", help="model (default), a gateway, or all; repeatable."),
    ] = [],  # noqa: B006  typer copies it
    coverage: Annotated[bool, typer.Option("--coverage", help="Say what no test exercises.")] = False,
    fail_under: Annotated[
        float | None, typer.Option("--fail-under", metavar="PERCENT", min=0, max=100, help="The least coverage.")
    ] = None,
    max_wait: Annotated[
        str, typer.Option("--max-wait", metavar="DURATION", help="Longest wait of a test on a real gateway.")
    ] = "30s",
    policies: Policies = "policies",
    env: Environment = None,
    now: Now = None,
    format: Annotated[TestFormat, typer.Option("--format", help="How to print the result.")] = TestFormat.TEXT,
) -> ExitCode:
    """Run the tests that teams write beside their policies, on the model or on the real gateways."""
    from gwc.cli.now import parse_now
    from gwc.cli.testing import Testing, engines_of, parse_wait

    testing = Testing(policies, tuple(file or ()), engines_of(engine), parse_wait(max_wait))
    testing.run(env, parse_now(now))
    if coverage or fail_under is not None:
        testing.measure()
    return testing.publish(format.value, fail_under)


test_command.__test__ = False  # type: ignore[attr-defined]
