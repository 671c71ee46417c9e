"""The platform's policy: what the platform team writes once for all services."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from gwc.policy.addresses import AbsoluteUri, HostAndPort, HttpUrl, ListenAddress, Network, RedisUrl
from gwc.policy.bounds import BoundsPolicy, WaiverPolicy
from gwc.policy.headers import FreeHeader
from gwc.policy.hosts import HostPort, Url
from gwc.policy.identity import IdentityPolicy
from gwc.policy.limits import LimitPolicy
from gwc.policy.secrets import FileReference, SecretReference
from gwc.policy.service import Sections
from gwc.policy.texts import is_metrics_path
from gwc.policy.types import (
    COMBINATION,
    FORM,
    Count,
    FreeText,
    Label,
    List,
    Maybe,
    Model,
    PlainText,
    Share,
    Tighter,
    fault,
    unique,
)


class HttpsPolicy(Model):
    port: ListenAddress
    certificate: FileReference
    key: SecretReference
    min_version: Literal["TLSv1.2", "TLSv1.3"] = "TLSv1.2"
    redirect: Annotated[bool, Field(description="Plain HTTP answers with a redirect to https.")] = False


def _loopback(address: HostPort) -> HostPort:
    at = HostPort("127.0.0.1", address.port) if address.host == "localhost" else address
    try:
        loopback = ipaddress.ip_address(at.host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        hint = "write 127.0.0.1:9901, and let a collector on the same host read it"
        raise fault(FORM, f"the admin listener must be on loopback, not {at.host}", hint)
    return at


class ListenPolicy(Model):
    http: Maybe[ListenAddress] = None
    https: Maybe[HttpsPolicy] = None
    admin: Annotated[HostAndPort, AfterValidator(_loopback), Field(json_schema_extra={"default": "127.0.0.1:9901"})] = (
        HostPort("127.0.0.1", 9901)
    )

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.http is None and self.https is None:
            raise fault(COMBINATION, "the gateway listens on nothing", "write listen: {http: 8080}, or https")
        if self.https is not None and self.https.redirect and self.http is None:
            raise fault(COMBINATION, "https.redirect has nothing to redirect", "add listen.http or remove redirect")
        ports = [a.port for a in (self.http, self.https and self.https.port, self.admin) if a is not None]
        if len(set(ports)) < len(ports):
            raise fault(COMBINATION, "two listeners share a port")
        return self


class RequestIdPolicy(Model):
    header: FreeHeader = "X-Request-ID"
    accept: Literal["always", "from_trusted_proxies", "never"] = "from_trusted_proxies"


class TracingPolicy(Model):
    otlp: Annotated[HttpUrl, Field(description="Base URL of an OTLP/HTTP collector.")]
    sample: Annotated[Share, Field(json_schema_extra={"default": "10%"})] = 0.1


def _admin_path(text: str) -> str:
    if not is_metrics_path(text):
        raise fault(FORM, f"{text[:60]!r} is not a path such as /metrics (/ready is taken)")
    return text


class MetricsPolicy(Model):
    path: Annotated[PlainText, AfterValidator(_admin_path)] = "/metrics"


class AccessLogPolicy(Model):
    format: Literal["json"] = "json"


class ErrorsPolicy(Model):
    type: Annotated[AbsoluteUri, Field(description="Prefix of every problem's type.")] = "urn:gwc:problem:"


def _database(url: Url) -> Url:
    if url.path.strip("/") and not re.fullmatch("[0-9]{1,5}", url.path.strip("/")):
        raise fault(FORM, f"{url.path!r} is not a database number, as in redis://127.0.0.1:6379/0")
    return url


class RateLimitStorePolicy(Model):
    redis: Annotated[RedisUrl, AfterValidator(_database)]
    password: Maybe[SecretReference] = None
    service: Annotated[Maybe[HostAndPort], Field(description="The rate limit service's gRPC address (Envoy).")] = None
    on_failure: Literal["deny", "allow"] = "deny"


class TargetPolicy(Model):
    profile: Maybe[Label] = None
    accept: Annotated[List[PlainText], AfterValidator(unique), Field(description="Features taken knowingly.")] = ()


class PlatformPolicy(Model):
    apiVersion: Literal["gwc/v1"]  # noqa: N815 - the language's own spelling
    kind: Literal["Platform"]
    description: FreeText = ""
    owner: FreeText = ""
    listen: Annotated[ListenPolicy, Field(default_factory=lambda: ListenPolicy.model_validate({"http": 8080}))]
    trusted_proxies: Annotated[List[Network], AfterValidator(unique)] = ()
    identity: Annotated[IdentityPolicy, Field(default_factory=IdentityPolicy)]
    request_id: RequestIdPolicy = RequestIdPolicy()
    tracing: Maybe[TracingPolicy] = None
    metrics: MetricsPolicy = MetricsPolicy()
    access_log: AccessLogPolicy = AccessLogPolicy()
    errors: ErrorsPolicy = ErrorsPolicy()
    rate_limit_store: Maybe[RateLimitStorePolicy] = None
    limits: Annotated[List[LimitPolicy], Field(description="Over all services.")] = ()
    concurrency: Annotated[Maybe[Count], Tighter.LOWER, Field(description="Requests in flight over all services.")] = (
        None
    )
    defaults: Sections = Sections()
    bounds: BoundsPolicy = BoundsPolicy()
    waivers: List[WaiverPolicy] = ()
    targets: dict[Label, TargetPolicy] = {}
    environments: Annotated[dict[Label, dict[str, Any]], Field(description="Merged over the above with --env.")] = {}
