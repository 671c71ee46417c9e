"""What routes are given."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from gwc_assistant.generations import PARTS
from gwc_assistant.identity import user
from gwc_assistant.problems import BUSY, DomainError
from gwc_assistant.wiring import Parts


def parts(request: Request) -> Parts:
    """Raises DomainError before the warm-up is through: the gateway sends nothing until /readyz says so."""
    if not request.app.state.phase.serving:
        raise DomainError(BUSY, "The service is starting.", retry_after=1)
    wired: Parts = request.scope[PARTS]
    return wired


Wired = Annotated[Parts, Depends(parts)]
User = Annotated[str, Depends(user)]
