"""`gwc schema`: the policy language as JSON Schema, for editors."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated

import typer

from gwc.cli.exits import ExitCode
from gwc.cli.guard import guarded


class Kind(StrEnum):
    """Which policies a schema describes."""

    PLATFORM = "platform"
    SERVICE = "service"


@guarded
def schema_command(
    kind: Annotated[Kind | None, typer.Argument(help="One kind of policy. Default: both.")] = None,
) -> ExitCode:
    """Print the policy language as JSON Schema, for editors."""
    import json

    from gwc.policy.schema import json_schema

    schema = json_schema(kind.value if kind else None)
    sys.stdout.write(json.dumps(schema, indent=2, ensure_ascii=False) + "\n")
    return ExitCode.OK
