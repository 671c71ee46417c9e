"""What the edge remembers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from gwc.policy.types import (
    Duration,
    DurationOrZero,
    HeaderName,
    List,
    Maybe,
    Model,
    QueryName,
    Tighter,
    unique,
    unique_names,
)


class VaryPolicy(Model):
    """What keys an answer besides host and path. Nothing else of the query reaches the service."""

    query: Maybe[Annotated[List[QueryName], AfterValidator(unique)]] = None
    headers: Maybe[Annotated[List[HeaderName], AfterValidator(unique_names)]] = None


class StalePolicy(Model):
    if_error: Annotated[Maybe[DurationOrZero], Tighter.LOWER] = None
    while_revalidate: Annotated[Maybe[DurationOrZero], Tighter.LOWER] = None


class CachePolicy(Model):
    ttl: Annotated[Maybe[Duration], Tighter.LOWER, Field(description="Holds whatever the upstream says.")] = None
    vary: Maybe[VaryPolicy] = None
    stale: Maybe[StalePolicy] = None
    negative_ttl: Annotated[Maybe[Duration], Tighter.LOWER, Field(description="Cache 301 and 404 for so long.")] = None
    scope: Annotated[Maybe[Literal["public", "user"]], Field(description="user: keyed by the verified user.")] = None
