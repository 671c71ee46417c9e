"""How long things may take."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from gwc.policy.types import Duration, Maybe, Model, Tighter


class TimeoutsPolicy(Model):
    connect: Annotated[Maybe[Duration], Tighter.LOWER, Field(description="To connect to the service, per try.")] = None
    request: Annotated[
        Maybe[Duration],
        Tighter.LOWER,
        Field(description="The whole request, retries included; on a stream the time to the first byte."),
    ] = None
    idle: Annotated[Maybe[Duration], Tighter.LOWER, Field(description="Between bytes.")] = None
