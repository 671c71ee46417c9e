"""What only the whole shows: names and routes that collide, dangling references, headers that the gateway owns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gwc.diagnostics import Related, Report
from gwc.features import limits, routes
from gwc.ir import Gateway, Limit, Node, Origin, Route, Service, Shape


def check_gateway(gateway: Gateway, report: Report) -> None:
    _check_route_names(gateway, report)
    _check_routes(gateway, report)
    _check_providers(gateway, report)
    _check_cluster_scope(gateway, report)
    _check_platform_headers(gateway, report)
    _check_owned_headers(gateway, report)
    _check_keys(gateway, report)


def first_and_again(items: Iterable[tuple[object, Origin]]) -> Iterator[tuple[object, Origin, Origin]]:
    """Each repetition of a key, with the origins of the repetition and of the first."""
    seen: dict[object, Origin] = {}
    for key, origin in items:
        if key in seen:
            yield key, origin, seen[key]
        seen.setdefault(key, origin)


def _check_route_names(gateway: Gateway, report: Report) -> None:
    for service in gateway.services:
        if len({route.name for route in service.routes}) == len(service.routes):
            continue
        names = ((route.name, route.provenance["name"]) for route in service.routes)
        for name, again, first in first_and_again(names):
            related = (Related(first.span, "first defined here"),)
            message = f"two routes of {service.name} are named `{name}`"
            report.error(
                "GWC203", again.span, message, hint="names tell routes apart in logs and metrics", related=related
            )


def _check_routes(gateway: Gateway, report: Report) -> None:
    """Two routes that match the same request equally: same hosts, same shape of path, same method."""
    seen: dict[tuple[object, ...], tuple[Service, Route]] = {}
    for shape, service, route in _of_one_shape(gateway):
        for host in service.hosts or (None,):
            for method in route.methods:
                other = seen.setdefault((host, shape, method), (service, route))
                if other[1] is not route:
                    _report_conflict(report, method, (service, route), other)


def _of_one_shape(gateway: Gateway) -> Iterator[tuple[Shape, Service, Route]]:
    """The routes whose paths are not the only ones of their shape, which is few of them."""
    once: set[Shape] = set()
    several: set[Shape] = set()
    for _, _, route in routes(gateway):
        (several if (shape := route.path.shape) in once else once).add(shape)
    for _, service, route in routes(gateway) if several else ():
        if (shape := route.path.shape) in several:
            yield shape, service, route


def _report_conflict(report: Report, method: str, second: tuple[Service, Route], first: tuple[Service, Route]) -> None:
    names = f"{second[0].name}/{second[1].name} and {first[0].name}/{first[1].name}"
    related = (Related(first[1].provenance["path"].span, f"`{first[1].path.text}` is defined here"),)
    message = f"{names} both match {method} {second[1].path.text}"
    hint = "give one another path, method, host or base_path"
    report.error("GWC204", second[1].provenance["path"].span, message, hint=hint, related=related)


def _check_providers(gateway: Gateway, report: Report) -> None:
    known = {"jwt": bool(gateway.identity.jwt), "api_key": gateway.identity.api_key is not None}
    for _, _, route in routes(gateway):
        for provider in route.auth.providers if route.auth else ():
            if not known[provider] and route.auth is not None:
                where = route.auth.provenance["providers"].span
                message = f"the platform does not declare identity.{provider}"
                report.error("GWC205", where, message, hint="declare it in the platform policy, or accept another")


def _check_cluster_scope(gateway: Gateway, report: Report) -> None:
    if gateway.rate_limit_store is not None:
        return
    found: list[Limit | Node] = [limit for _, limit in limits(gateway) if limit.cluster]
    found += [service.budget for service in gateway.services if service.budget and service.budget.cluster]
    for node in found:
        where = node.provenance["cluster"].span
        message = "scope: cluster needs a store to count in"
        report.error(
            "GWC206", where, message, hint="declare rate_limit_store in the platform policy, or scope: gateway"
        )


def _check_platform_headers(gateway: Gateway, report: Report) -> None:
    """One header cannot be proof, credential and request id at once."""
    seen: dict[str, tuple[str, Origin]] = {}
    if gateway.identity.jwt:
        seen["authorization"] = ("the header of identity.jwt", gateway.identity.provenance["jwt"])
    for purpose, header, origin in _platform_headers(gateway):
        first, there = seen.setdefault(header.lower(), (purpose, origin))
        if first != purpose:
            related = (Related(there.span, first),)
            message = f"{purpose} is `{header}`, which is {first} already"
            report.error("GWC207", origin.span, message, hint="choose another header", related=related)


def _platform_headers(gateway: Gateway) -> Iterator[tuple[str, str, Origin]]:
    identity, request_id = gateway.identity, gateway.request_id
    yield "request_id.header", request_id.header, request_id.provenance["header"]
    yield "identity.user_header", identity.user_header, identity.provenance["user_header"]
    if proof := identity.gateway_secret:
        yield "identity.gateway_secret.header", proof.header, proof.provenance["header"]
    if keys := identity.api_key:
        yield "identity.api_key.header", keys.header, keys.provenance["header"]


def _check_keys(gateway: Gateway, report: Report) -> None:
    """What the gateway strips or makes up itself can neither tell clients apart nor key an answer."""
    owned = _owned_headers(gateway)
    for subject, limit in limits(gateway):
        if limit.header in owned:
            message = f"{subject}: a limit per `{limit.header}` counts nothing ({owned[limit.header]} is the gateway's)"
            report.error("GWC207", limit.provenance["header"].span, message, hint="write per: user, or another header")
    for subject, _, route in routes(gateway):
        for header in route.cache.vary_headers if route.cache else ():
            if route.cache and header in owned:
                message = f"{subject}: `{header}` keys no answer ({owned[header]} is the gateway's)"
                where = route.cache.provenance["vary_headers"].span
                report.error("GWC207", where, message, hint="write scope: user, or another header")


def _check_owned_headers(gateway: Gateway, report: Report) -> None:
    owned = _owned_headers(gateway)
    fine: set[int] = set()  # most routes share what they change with others: each is looked at once
    for subject, _, route in routes(gateway):
        for changes in (route.headers.request, route.headers.response):
            if (which := id(vars(changes))) in fine:
                continue
            named = [*(("set", name) for name, _ in changes.set), *(("remove", name) for name in changes.remove)]
            if not (faulty := [(leaf, name) for leaf, name in named if name.lower() in owned]):
                fine.add(which)
            for leaf, name in faulty:
                message = f"{subject}: `{name}` belongs to the gateway ({owned[name.lower()]})"
                where = changes.provenance[f"{leaf}.{name.lower()}"].span
                report.error("GWC207", where, message, hint="choose another header")
    for service in gateway.services:
        _check_charge(service, owned, report)


def _owned_headers(gateway: Gateway) -> dict[str, str]:
    identity = gateway.identity
    owned = {
        identity.user_header.lower(): "identity.user_header",
        gateway.request_id.header.lower(): "request_id.header",
    }
    if identity.gateway_secret is not None:
        owned[identity.gateway_secret.header.lower()] = "identity.gateway_secret"
    return owned


def _check_charge(service: Service, owned: dict[str, str], report: Report) -> None:
    budget = service.budget
    if budget is not None and budget.charge is not None and budget.charge.lower() in owned:
        message = f"`{budget.charge}` belongs to the gateway ({owned[budget.charge.lower()]})"
        report.error("GWC207", budget.provenance["charge"].span, message, hint="choose another header")
