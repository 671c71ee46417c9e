"""Headers set and removed on the way in and on the way out."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from gwc.policy.texts import REQUEST_OWNED, RESPONSE_OWNED, header_is_free
from gwc.policy.types import COMBINATION, FORM, HeaderName, HeaderValue, List, Maybe, Model, fault, unique_names


class HeaderChangesPolicy(Model):
    set: Annotated[Maybe[dict[HeaderName, HeaderValue]], Field(description="Overwrites.")] = None
    remove: Maybe[Annotated[List[HeaderName], AfterValidator(unique_names)]] = None

    @model_validator(mode="after")
    def _disjoint(self) -> Self:
        names = [name.lower() for name in self.set or ()]
        if len(set(names)) < len(names):
            raise fault(COMBINATION, "a header is set twice in different case")
        both = set(names) & {name.lower() for name in self.remove or ()}
        if both:
            raise fault(COMBINATION, f"`{min(both)}` is both set and removed", "setting a header already overwrites it")
        return self


def _free(name: str) -> str:
    if not header_is_free(name):
        raise fault(FORM, f"`{name}` has a meaning of its own in HTTP or for the gateway", "choose another header")
    return name


FreeHeader = Annotated[HeaderName, AfterValidator(_free)]
"""A header that the gateway can take for a purpose of its own."""


def _not_among(owned: frozenset[str], changes: HeaderChangesPolicy) -> HeaderChangesPolicy:
    for name in [*(changes.set or ()), *(changes.remove or ())]:
        if name.lower() in owned:
            raise fault(COMBINATION, f"`{name}` belongs to the gateway and cannot be set or removed")
    return changes


class HeadersPolicy(Model):
    request: Maybe[Annotated[HeaderChangesPolicy, AfterValidator(lambda c: _not_among(REQUEST_OWNED, c))]] = None
    response: Maybe[Annotated[HeaderChangesPolicy, AfterValidator(lambda c: _not_among(RESPONSE_OWNED, c))]] = None
