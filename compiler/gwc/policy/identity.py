"""Who a caller is: issuers, API keys, and the headers that tell the service."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from gwc.policy.addresses import AbsoluteUri, HttpUrl
from gwc.policy.headers import FreeHeader
from gwc.policy.secrets import SecretReference, SecretSource
from gwc.policy.types import (
    COMBINATION,
    Claim,
    DurationOrZero,
    Label,
    List,
    Maybe,
    Model,
    PlainText,
    RelativePath,
    fault,
    unique,
)


class GatewaySecretPolicy(SecretReference):
    """Proof to the service that a request passed the gateway."""

    header: FreeHeader


class JwksPolicy(Model):
    """The issuer's public keys: a file beside the policy, inlined at compile time, or a URL."""

    file: Maybe[RelativePath] = None
    url: Maybe[HttpUrl] = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.file is None) == (self.url is None):
            raise fault(COMBINATION, "name the key set by exactly one of `file` and `url`")
        return self


class JwtPolicy(Model):
    issuer: AbsoluteUri
    audience: Annotated[List[PlainText], Field(min_length=1), AfterValidator(unique)]
    jwks: JwksPolicy
    user: Annotated[Claim, Field(description="The claim that identifies the user.")] = "sub"
    scopes: Annotated[Claim, Field(description="The claim that holds the scopes.")] = "scope"
    algorithms: Annotated[
        List[Literal["RS256", "RS384", "RS512", "ES256", "ES384"]], Field(min_length=1), AfterValidator(unique)
    ] = ("RS256", "ES256")
    leeway: Annotated[DurationOrZero, Field(json_schema_extra={"default": "30s"})] = 30.0


class ConsumerPolicy(Model):
    name: Label
    secret: SecretSource


class ApiKeyPolicy(Model):
    header: FreeHeader = "X-API-Key"
    consumers: Annotated[List[ConsumerPolicy], Field(min_length=1)]

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if len({(c.secret.env, c.secret.file) for c in self.consumers}) < len(self.consumers):
            raise fault(COMBINATION, "two consumers share a secret", "a key must tell its consumer")
        names = [consumer.name for consumer in self.consumers]
        if len(set(names)) < len(names):
            raise fault(
                COMBINATION, "two consumers share a name", "give each its own; their buckets are kept apart by it"
            )
        return self


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, dict) else value


def _distinct_issuers(issuers: tuple[JwtPolicy, ...]) -> tuple[JwtPolicy, ...]:
    names = [issuer.issuer for issuer in issuers]
    if len(set(names)) < len(names):
        raise fault(COMBINATION, "two entries of identity.jwt share an issuer")
    return issuers


Issuers = Annotated[
    List[JwtPolicy],
    Field(min_length=1),
    AfterValidator(_distinct_issuers),
    BeforeValidator(_as_list),
    WithJsonSchema(
        {"anyOf": [{"$ref": "#/$defs/JwtPolicy"}, {"type": "array", "items": {"$ref": "#/$defs/JwtPolicy"}}]}
    ),
]


class IdentityPolicy(Model):
    user_header: Annotated[FreeHeader, Field(description="Set from the verified subject, stripped inbound.")] = (
        "X-User-Id"
    )
    gateway_secret: Maybe[GatewaySecretPolicy] = None
    jwt: Annotated[Maybe[Issuers], Field(description="One issuer or a list of them.")] = None
    api_key: Maybe[ApiKeyPolicy] = None
