"""Policies -> Gateway: defaults, levels, environments, bounds, waivers and the checks across services (GWC2xx)."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from types import MappingProxyType
from typing import TYPE_CHECKING

from gwc import observed
from gwc.diagnostics import Related, Report
from gwc.ir import Gateway, Level, Route, Service
from gwc.policy.variants import Loaded, platform_of, service_of
from gwc.resolve import platform as settle
from gwc.resolve.bounds import check_bounds
from gwc.resolve.checks import check_gateway
from gwc.resolve.levels import Layer
from gwc.resolve.memory import Memory
from gwc.resolve.platform import Place, ReadPublic, platform_place
from gwc.resolve.service import ServiceContext, resolve_limits, resolve_service
from gwc.source import MAX_BYTES, STDIN, Source

if TYPE_CHECKING:
    from gwc.policy.platform import PlatformPolicy

__all__ = ["ReadPublic", "check_gateway", "resolve"]


def read_beside(source: Source, file: str) -> str:
    """A public file that a policy names, from disk, relative to the policy. Raises OSError, also for an endless one."""
    path = os.path.join(os.path.dirname("" if source.name == STDIN else source.name), file)
    observed.file(path)
    with open(path, encoding="utf-8") as stream:
        text = stream.read(MAX_BYTES + 1)
    if len(text) > MAX_BYTES:
        raise OSError(errno.EFBIG, f"larger than {MAX_BYTES // 1024} KiB", path)
    return text


def resolve(
    policies: Sequence[Loaded],
    *,
    environment: str | None,
    now: date,
    report: Report,
    read: ReadPublic = read_beside,
    whole: bool = True,
    routes: Mapping[str, tuple[Route, ...]] = MappingProxyType({}),
    services: Mapping[str, Service] = MappingProxyType({}),
    checked: bool = False,
) -> Gateway | None:
    """Every policy of one gateway -> that Gateway; None when `report` has errors.

    Not `whole`: some services are left out on purpose, so that waivers of unknown ones are no fault. `routes` are those
    of services for which they are known from another environment. `checked`: so is that nothing collides. `services`
    are known, whole, from a gateway of the same platform and environment.
    """
    found = _platform(policies, report)
    if found is None:
        return None
    policy, top = found
    contexts = _services(policies, policy, top, report, routes)
    settled = (services.get(context.policy.service) or resolve_service(context) for context in contexts)
    gateway = _gateway(policy, top, settled, environment, now, report, read)
    if not checked:
        check_gateway(_unchecked(gateway, services), report)
    check_bounds(gateway, policy.bounds, policy.waivers, top, report, whole=whole)
    return None if report.failed else gateway


def _unchecked(gateway: Gateway, known: Mapping[str, Service]) -> Gateway:
    """Without those that were right among others, if no path is one of theirs and of others, too."""
    if not known:
        return gateway
    from dataclasses import replace

    rest = tuple(service for service in gateway.services if service is not known.get(service.name))
    paths = {route.path.shape for service in rest for route in service.routes}
    if any(route.path.shape in paths for service in known.values() for route in service.routes):
        return gateway
    return replace(gateway, services=rest)


def _platform(policies: Sequence[Loaded], report: Report) -> tuple[PlatformPolicy, Place] | None:
    found = [(policy, platform_place(p.document)) for p in policies if (policy := platform_of(p)) is not None]
    for _, again in found[1:]:
        related = (Related(found[0][1].home(), "first defined here"),)
        report.error("GWC202", again.home(), "a second platform policy", hint="keep one", related=related)
    if not found and policies:
        where = policies[0].document.span(("kind",))
        report.error("GWC202", where, "no platform policy among the files", hint="add one with kind: Platform")
    return found[0] if len(found) == 1 else None


def _services(
    policies: Sequence[Loaded],
    platform: PlatformPolicy,
    top: Place,
    report: Report,
    routes: Mapping[str, tuple[Route, ...]],
) -> list[ServiceContext]:
    defaults, memory = Layer(Level.PLATFORM, top.document, ("defaults",), platform.defaults), Memory()
    contexts: dict[str, ServiceContext] = {}
    for loaded in policies:
        if (policy := service_of(loaded)) is None:
            continue
        context = ServiceContext(loaded, policy, defaults, report, memory, routes.get(policy.service))
        first = contexts.setdefault(policy.service, context)
        if first is not context:
            related = (Related(first.place.home(), "first defined here"),)
            message = f"two policies describe the service `{policy.service}`"
            report.error("GWC201", context.place.home(), message, hint="one policy a service", related=related)
    return [contexts[name] for name in sorted(contexts)]


def _gateway(
    policy: PlatformPolicy,
    top: Place,
    services: Iterable[Service],
    environment: str | None,
    now: date,
    report: Report,
    read: ReadPublic,
) -> Gateway:
    return Gateway(
        environment=environment,
        now=now,
        listen=settle.listen(policy, top),
        trusted_proxies=policy.trusted_proxies,
        identity=settle.identity(policy, top, read, report),
        request_id=settle.request_id(policy, top),
        tracing=settle.tracing(policy, top),
        metrics_path=policy.metrics.path,
        access_log=policy.access_log.format,
        error_type_base=policy.errors.type,
        rate_limit_store=settle.store(policy, top),
        limits=resolve_limits(policy.limits, top, "platform"),
        concurrency=policy.concurrency,
        services=tuple(services),
        targets=settle.targets(policy, top, report),
        provenance=top.origins(
            listen="listen", trusted_proxies="trusted_proxies", identity="identity", request_id="request_id",
            tracing="tracing", metrics_path="metrics.path", access_log="access_log.format",
            error_type_base="errors.type", rate_limit_store="rate_limit_store", limits="limits",
            concurrency="concurrency", services="kind", targets="targets",
        ),
    )  # fmt: skip
