"""What the platform insists on, and who is excused until when."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from gwc.policy.types import (
    COMBINATION,
    Count,
    CountOrZero,
    Day,
    Duration,
    DurationOrZero,
    FreeText,
    Label,
    Maybe,
    Model,
    RouteName,
    Share,
    Size,
    fault,
)


class Range(Model):
    """At least one end; a value outside is an error in the service's policy."""

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        low, high = getattr(self, "min", None), getattr(self, "max", None)
        if low is None and high is None:
            raise fault(COMBINATION, "a bound needs `max` or `min`")
        if low is not None and high is not None and low > high:
            raise fault(COMBINATION, "`min` is larger than `max`")
        return self


class DurationRange(Range):
    min: Maybe[Duration] = None
    max: Maybe[DurationOrZero] = None


class SizeRange(Range):
    min: Maybe[Size] = None
    max: Maybe[Size] = None


class CountRange(Range):
    min: Maybe[CountOrZero] = None
    max: Maybe[CountOrZero] = None


class ShareRange(Range):
    min: Maybe[Share] = None
    max: Maybe[Share] = None


class PositiveRange(Range):
    min: Maybe[Count] = None
    max: Maybe[Count] = None


Required = Literal["required"]


class BoundsPolicy(Model):
    """By the dotted name of the field. A service may be tighter, never looser."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    timeouts_connect: Annotated[Maybe[DurationRange], Field(alias="timeouts.connect")] = None
    timeouts_request: Annotated[Maybe[DurationRange], Field(alias="timeouts.request")] = None
    timeouts_idle: Annotated[Maybe[DurationRange], Field(alias="timeouts.idle")] = None
    retries_attempts: Annotated[Maybe[CountRange], Field(alias="retries.attempts")] = None
    retries_per_try: Annotated[Maybe[DurationRange], Field(alias="retries.per_try")] = None
    retries_budget: Annotated[Maybe[ShareRange], Field(alias="retries.budget")] = None
    max_body: Maybe[SizeRange] = None
    cache_ttl: Annotated[Maybe[DurationRange], Field(alias="cache.ttl")] = None
    cache_negative_ttl: Annotated[Maybe[DurationRange], Field(alias="cache.negative_ttl")] = None
    cache_stale_if_error: Annotated[Maybe[DurationRange], Field(alias="cache.stale.if_error")] = None
    cache_stale_while_revalidate: Annotated[Maybe[DurationRange], Field(alias="cache.stale.while_revalidate")] = None
    cost: Maybe[CountRange] = None
    upstream_concurrency: Annotated[Maybe[PositiveRange], Field(alias="upstream.concurrency")] = None
    auth: Maybe[Required] = None
    limits_ip: Annotated[Maybe[Required], Field(alias="limits.ip")] = None
    limits_user: Annotated[Maybe[Required], Field(alias="limits.user")] = None
    limits_service: Annotated[Maybe[Required], Field(alias="limits.service")] = None
    budget: Maybe[Required] = None
    breaker: Annotated[Maybe[Required], Field(alias="upstream.breaker")] = None
    health: Annotated[Maybe[Required], Field(alias="upstream.health")] = None


BOUND_NAMES = tuple(field.alias or name for name, field in BoundsPolicy.model_fields.items())
"""Every bound as a policy spells it."""


class WaiverPolicy(Model):
    """One service, or one route of it, is excused from one bound until a day."""

    service: Label
    route: Maybe[RouteName] = None
    bound: FreeText
    reason: Annotated[FreeText, Field(min_length=1)]
    until: Annotated[Day, Field(description="The last day on which the waiver holds.")]
