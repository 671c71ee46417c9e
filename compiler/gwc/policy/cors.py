"""Which origins a browser may call from."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from gwc.policy.addresses import Origin
from gwc.policy.types import DurationOrZero, HeaderName, List, Maybe, Method, Model, unique, unique_names


class CorsPolicy(Model):
    origins: Annotated[
        Maybe[Annotated[List[Origin], AfterValidator(unique)]], Field(description="Exact origins, or * alone.")
    ] = None
    methods: Maybe[Annotated[List[Method], AfterValidator(unique)]] = None
    headers: Maybe[Annotated[List[HeaderName], AfterValidator(unique_names)]] = None
    credentials: Maybe[bool] = None
    max_age: Maybe[DurationOrZero] = None
