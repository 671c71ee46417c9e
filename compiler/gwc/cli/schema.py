"""`gwc schema`: the policy language as JSON Schema, for editors, and that of the access log."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated

import typer

from gwc.cli.exits import ExitCode
from gwc.cli.guard import guarded


class Kind(StrEnum):
    """What a schema describes."""

    PLATFORM = "platform"
    SERVICE = "service"
    ACCESS_LOG = "access-log"


@guarded
def schema_command(
    kind: Annotated[Kind | None, typer.Argument(help="One kind of policy, or the log. Default: both kinds.")] = None,
) -> ExitCode:
    """Print the policy language, or a line of the access log, as JSON Schema."""
    sys.stdout.write(_access_log() if kind is Kind.ACCESS_LOG else _policy(kind))
    return ExitCode.OK


def _policy(kind: Kind | None) -> str:
    import json

    from gwc.policy.schema import json_schema

    return json.dumps(json_schema(kind.value if kind else None), indent=2, ensure_ascii=False) + "\n"


def _access_log() -> str:
    from gwc.observability.access_log import schema_text

    return schema_text()
