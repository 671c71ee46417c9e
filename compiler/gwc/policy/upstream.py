"""The service behind the gateway."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, model_validator

from gwc.policy.addresses import EndpointUrl, HostName
from gwc.policy.secrets import FileReference, SecretReference
from gwc.policy.texts import is_health_path
from gwc.policy.types import COMBINATION, FORM, Count, Duration, List, Maybe, Model, PlainText, Tighter, fault


class EndpointPolicy(Model):
    url: EndpointUrl
    weight: Annotated[int, Field(ge=1, le=10_000, description="Relative to the others; 100 by default.")] = 100


class UpstreamTlsPolicy(Model):
    """For https endpoints, whose certificate is always verified; it may stand beside http ones and wait for a move."""

    ca: Annotated[Maybe[FileReference], Field(description="Trust anchor; the host's own store by default.")] = None
    sni: Annotated[Maybe[HostName], Field(description="The name to ask for and verify.")] = None
    client_certificate: Maybe[FileReference] = None
    client_key: Maybe[SecretReference] = None

    @model_validator(mode="after")
    def _pair(self) -> Self:
        if (self.client_certificate is None) != (self.client_key is None):
            raise fault(COMBINATION, "client_certificate and client_key need each other")
        return self


class BreakerPolicy(Model):
    failures: Annotated[int, Tighter.LOWER, Field(ge=1, le=10_000, description="Consecutive failures that open it.")]
    open: Annotated[Duration, Tighter.HIGHER, Field(description="How long the endpoint gets no traffic.")]


def _health_path(text: str) -> str:
    if not is_health_path(text):
        raise fault(FORM, f"{text[:60]!r} is not a path such as /readyz")
    return text


class HealthPolicy(Model):
    path: Annotated[PlainText, AfterValidator(_health_path)]
    every: Duration


class UpstreamPolicy(Model):
    endpoints: Annotated[List[EndpointPolicy], Field(min_length=1)]
    tls: Maybe[UpstreamTlsPolicy] = None
    concurrency: Annotated[Maybe[Count], Tighter.LOWER, Field(description="Requests in flight to the service.")] = None
    breaker: Maybe[BreakerPolicy] = None
    health: Maybe[HealthPolicy] = None

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        return {"endpoints": [{"url": value}]} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_scheme(self) -> Self:
        schemes = {endpoint.url.scheme for endpoint in self.endpoints}
        if len(schemes) > 1:
            raise fault(
                COMBINATION, "the endpoints mix http and https", "use one scheme for all endpoints of a service"
            )
        addresses = [(endpoint.url.host, endpoint.url.port) for endpoint in self.endpoints]
        if len(set(addresses)) < len(addresses):
            raise fault(COMBINATION, "an endpoint is listed twice", "give it a higher weight instead")
        return self
