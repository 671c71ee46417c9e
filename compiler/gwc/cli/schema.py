"""`gwc schema`: the policy language as JSON Schema, for editors, that of tests, and that of the access log."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated, Any

import typer

from gwc.cli.exits import ExitCode
from gwc.cli.guard import guarded


class Kind(StrEnum):
    """What a schema describes."""

    PLATFORM = "platform"
    SERVICE = "service"
    TESTS = "tests"
    ACCESS_LOG = "access-log"


@guarded
def schema_command(
    kind: Annotated[Kind | None, typer.Argument(help="A kind of policy, tests, or the log. Default: policies.")] = None,
) -> ExitCode:
    """Print the policy language, that of tests, or a line of the access log, as JSON Schema."""
    sys.stdout.write(_text(kind))
    return ExitCode.OK


def _text(kind: Kind | None) -> str:
    if kind is Kind.ACCESS_LOG:
        return _access_log()
    return _tests() if kind is Kind.TESTS else _policy(kind)


def _policy(kind: Kind | None) -> str:
    from gwc.policy.schema import json_schema

    return _printed(json_schema(kind.value if kind else None))


def _tests() -> str:
    from gwc.testing.schema import json_schema

    return _printed(json_schema())


def _printed(schema: dict[str, Any]) -> str:
    import json

    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _access_log() -> str:
    from gwc.observability.access_log import schema_text

    return schema_text()
