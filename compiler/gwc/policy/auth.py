"""Who may call a route."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from gwc.policy.types import List, Maybe, Model, Scope, unique

Provider = Literal["jwt", "api_key"]


class AuthPolicy(Model):
    """Any one of the credentials is enough; every scope is needed."""

    any_of: Annotated[
        Maybe[Annotated[List[Provider], Field(min_length=1), AfterValidator(unique)]],
        Field(description="Accepted credentials; any one is enough."),
    ] = None
    scopes: Annotated[
        Maybe[Annotated[List[Scope], AfterValidator(unique)]], Field(description="Scopes that a token must all hold.")
    ] = None
