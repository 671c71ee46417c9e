"""Rate limits and the cost guard."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from gwc.policy.headers import FreeHeader
from gwc.policy.types import Count, CountingScope, HeaderName, Maybe, Model, RateOf, Tighter


class HeaderKey(Model):
    """One bucket per value of a request header; requests without it share one."""

    header: HeaderName


def _key_tag(value: object) -> str:
    return "<name>" if isinstance(value, str) else "<header>"


Key = Annotated[
    Annotated[Literal["ip", "user", "service"], Tag("<name>")] | Annotated[HeaderKey, Tag("<header>")],
    Discriminator(_key_tag),
]


class LimitPolicy(Model):
    """A token bucket: at most `burst` at once, refilled evenly at `rate`."""

    per: Annotated[Key, Field(description="ip, user, service (one bucket for all) or {header: NAME}.")]
    rate: Annotated[RateOf, Tighter.LOWER]
    burst: Annotated[Maybe[Count], Tighter.LOWER, Field(description="At once; defaults to the rate's number.")] = None
    mode: Annotated[Literal["enforce", "shadow"], Field(description="shadow counts and logs, refuses nothing.")] = (
        "enforce"
    )
    scope: Annotated[CountingScope, Field(description="gateway: each process alone; cluster: one count over all.")] = (
        "gateway"
    )


class BudgetPolicy(Model):
    """Units per user and clock-aligned period; it actually runs out."""

    per: Literal["user"] = "user"
    units: Annotated[RateOf, Tighter.LOWER]
    charge: Annotated[Maybe[FreeHeader], Field(description="Response header with the actual cost.")] = None
    scope: CountingScope = "gateway"
