"""When the gateway tries again."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from gwc.policy.texts import describe
from gwc.policy.types import COMBINATION, FORM, Duration, List, Maybe, Model, Share, Tighter, fault, unique
from gwc.suggest import did_you_mean

Cause = Literal["connect", "reset"] | int


def _cause(value: object) -> object:
    if value in ("connect", "reset"):
        return value
    if isinstance(value, int) and not isinstance(value, bool) and 500 <= value <= 599:
        return value
    hint = did_you_mean(str(value), ("connect", "reset")) or "causes are connect, reset and the statuses 500 to 599"
    raise fault(FORM, f"{describe(value)} is no cause of a retry", hint)


RetryCause = Annotated[Cause, BeforeValidator(_cause), WithJsonSchema(
    {"anyOf": [{"enum": ["connect", "reset"]}, {"type": "integer", "minimum": 500, "maximum": 599}]}
)]  # fmt: skip


class BackoffPolicy(Model):
    """Exponential with jitter, from `base` up to `max`."""

    base: Annotated[Maybe[Duration], Field(description="The first pause.")] = None
    max: Annotated[Maybe[Duration], Field(description="The longest pause.")] = None

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.base is not None and self.max is not None and self.base > self.max:
            raise fault(COMBINATION, "backoff.base is longer than backoff.max")
        return self


class RetriesPolicy(Model):
    attempts: Annotated[
        Maybe[Annotated[int, Field(ge=0, le=10)]], Tighter.LOWER, Field(description="Extra tries; 0 is none.")
    ] = None
    when: Annotated[
        Maybe[Annotated[List[RetryCause], AfterValidator(unique)]],
        Field(description="Causes: connect, reset, and statuses from 500 to 599."),
    ] = None
    per_try: Annotated[Maybe[Duration], Tighter.LOWER, Field(description="Bound of one try.")] = None
    backoff: Maybe[BackoffPolicy] = None
    budget: Annotated[Maybe[Share], Tighter.LOWER, Field(description="Retries as a share of live requests.")] = None
    unsafe: Annotated[Maybe[bool], Field(description="Retry POST and PATCH too: the service is idempotent.")] = None
