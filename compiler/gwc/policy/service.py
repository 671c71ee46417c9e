"""A service's policy: what one team writes."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from gwc.policy.addresses import HostName
from gwc.policy.auth import AuthPolicy
from gwc.policy.cache import CachePolicy
from gwc.policy.cors import CorsPolicy
from gwc.policy.headers import HeadersPolicy
from gwc.policy.limits import BudgetPolicy, LimitPolicy
from gwc.policy.paths import BasePath, Path
from gwc.policy.retries import RetriesPolicy
from gwc.policy.timeouts import TimeoutsPolicy
from gwc.policy.types import (
    CountOrZero,
    FreeText,
    Label,
    List,
    Maybe,
    Method,
    Model,
    OrNone,
    RouteName,
    Size,
    Tighter,
    unique,
)
from gwc.policy.upstream import UpstreamPolicy


class Sections(Model):
    """What platform defaults, services and routes can all carry; the more specific level wins field by field."""

    auth: Annotated[Maybe[OrNone[AuthPolicy]], Field(description="Accepted credentials, or none.")] = None
    timeouts: Maybe[TimeoutsPolicy] = None
    retries: Maybe[OrNone[RetriesPolicy]] = None
    max_body: Annotated[Maybe[Size], Tighter.LOWER, Field(description="Largest request body.")] = None
    cors: Maybe[OrNone[CorsPolicy]] = None
    headers: Maybe[HeadersPolicy] = None
    cache: Annotated[Maybe[OrNone[CachePolicy]], Field(description="For routes that serve GET or HEAD.")] = None


class RoutePolicy(Sections):
    """One path of the service and its methods."""

    name: RouteName
    description: FreeText = ""
    path: Annotated[Path, Field(description="Literal segments, {param} for one, /** at the end for any rest.")]
    methods: Annotated[List[Method], Field(min_length=1), AfterValidator(unique)]
    limits: Annotated[List[LimitPolicy], Field(description="In addition to the service's and the platform's.")] = ()
    cost: Annotated[
        Maybe[CountOrZero], Tighter.HIGHER, Field(description="Units taken from the budget; default 1.")
    ] = None
    stream: Annotated[bool, Field(description="Server-sent events: request bounds the time to the first byte.")] = False
    websocket: bool = False


class ServicePolicy(Sections):
    apiVersion: Literal["gwc/v1"]  # noqa: N815 - the language's own spelling
    kind: Literal["Service"]
    service: Annotated[Label, Field(description="Names clusters, zones and metrics.")]
    owner: Annotated[FreeText, Field(description="The team that is paged.")] = ""
    description: FreeText = ""
    hosts: Annotated[List[HostName], AfterValidator(unique), Field(description="Default: every host.")] = ()
    base_path: Annotated[Maybe[BasePath], Field(description="Stripped before forwarding.")] = None
    keep_base_path: bool = False
    upstream: UpstreamPolicy
    limits: Annotated[List[LimitPolicy], Field(description="Shared by all routes of the service.")] = ()
    budget: Maybe[BudgetPolicy] = None
    routes: Annotated[List[RoutePolicy], Field(min_length=1)]
    environments: Annotated[dict[Label, dict[str, Any]], Field(description="Merged over the above with --env.")] = {}
