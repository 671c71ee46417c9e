"""`gwc init`: the first policy of a service, from a few answers or from the routes that it has."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from gwc.cli.exits import ExitCode
from gwc.cli.guard import guarded


class Auth(StrEnum):
    """Who may call the service."""

    NONE = "none"
    API_KEY = "api_key"
    JWT = "jwt"


@guarded
def init_command(
    service: Annotated[str, typer.Option("--service", metavar="NAME", help="The service's name.")] = "",
    owner: Annotated[str, typer.Option("--owner", metavar="TEAM", help="Who is paged. Default: team-NAME.")] = "",
    endpoint: Annotated[
        str, typer.Option("--endpoint", metavar="URL", help="Where it listens. Default: http://127.0.0.1:8000.")
    ] = "",
    auth: Annotated[
        Auth | None, typer.Option("--auth", help="Who may call it. Default: what OpenAPI says, or who has an API key.")
    ] = None,
    from_openapi: Annotated[
        str, typer.Option("--from-openapi", metavar="FILE", help="Take the routes from an OpenAPI description.")
    ] = "",
    from_fastapi: Annotated[
        str,
        typer.Option(
            "--from-fastapi", metavar="DIR|MODULE", help="Take the routes from FastAPI code, without running it."
        ),
    ] = "",
    output: Annotated[str, typer.Option("--output", "-o", metavar="DIR", help="Where policies are.")] = "policies",
) -> ExitCode:
    """Write a correct policy for a service, and a platform policy where there is none. Overwrites nothing.

    On a terminal it asks for what no flag says.
    """
    from gwc.cli.starting import Starting, asked
    from gwc.imports.start import Answers

    answers = Answers(service, owner, endpoint, auth.value if auth else "", from_openapi, from_fastapi)
    starting = Starting(output)
    return starting.run(asked(answers, starting.platform))
