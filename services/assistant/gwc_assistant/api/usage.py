"""What the caller has used: read from the ledger, for the last thirty days."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from decimal import Decimal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from gwc_assistant.api.bodies import dollars
from gwc_assistant.api.depends import User, Wired
from gwc_assistant.api.documents import problems
from gwc_assistant.cost import LedgerUsage
from gwc_assistant.problems import LEDGER_UNAVAILABLE, UNIDENTIFIED

DAYS = 30
router = APIRouter(prefix="/v1", tags=["usage"])


class UsageLine(BaseModel):
    model: str
    route: str
    requests: int
    cached: int = Field(description="Answered from a cache.")
    input_tokens: int
    output_tokens: int
    usd: str
    units: int
    estimated: int = Field(description="Requests whose tokens were counted by characters.")
    unknown: int = Field(description="Requests whose price is unknown: they are not in usd and units.")


class UsageBody(BaseModel):
    since: datetime
    usd: str = Field(examples=["0.0123"])
    units: int
    carry: int = Field(description="Units that the next charge will have more, or less, than it uses.")
    lines: list[UsageLine]


@router.get(
    "/usage",
    response_model=UsageBody,
    responses=problems(UNIDENTIFIED, LEDGER_UNAVAILABLE),
    summary="The caller's own costs",
    operation_id="usage",
)
async def usage(wired: Wired, user: User) -> UsageBody:
    return _body(await wired.ledger.usage(user, time.time() - DAYS * 86_400))


def _body(found: LedgerUsage) -> UsageBody:
    lines = [
        UsageLine(
            model=line.model,
            route=line.route,
            requests=line.requests,
            cached=line.cached,
            input_tokens=line.input_tokens,
            output_tokens=line.output_tokens,
            usd=dollars(line.usd),
            units=line.units,
            estimated=line.estimated,
            unknown=line.unknown,
        )
        for line in found.lines
    ]
    return UsageBody(
        since=datetime.fromtimestamp(found.since, UTC),
        usd=dollars(sum((line.usd for line in found.lines), Decimal(0))),
        units=sum(line.units for line in found.lines),
        carry=found.carry,
        lines=lines,
    )
