"""One service's policy, over the platform's defaults, as an ir.Service."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, lru_cache, partial
from typing import TYPE_CHECKING

from gwc.diagnostics import Report
from gwc.frozen import dataclass
from gwc.ir import (
    Auth,
    Breaker,
    Budget,
    Endpoint,
    Health,
    Level,
    Limit,
    LimitKey,
    Origin,
    PathTemplate,
    Route,
    Service,
    Upstream,
    UpstreamTls,
)
from gwc.policy.hosts import HostPort
from gwc.policy.texts import parse_path
from gwc.resolve import sections
from gwc.resolve.levels import Layer, scalar, section
from gwc.resolve.memory import Memory, named
from gwc.resolve.platform import Place, address, at, secret

if TYPE_CHECKING:
    from gwc.policy.limits import LimitPolicy
    from gwc.policy.service import RoutePolicy, ServicePolicy
    from gwc.policy.upstream import UpstreamPolicy


@dataclass(frozen=True)
class ServiceContext:
    policy: ServicePolicy
    place: Place
    defaults: Layer
    report: Report
    memory: Memory
    routes: tuple[Route, ...] | None = None
    """Where they are known already: of an environment that changes nothing that routes are made of."""

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        return (self.defaults, Layer(Level.SERVICE, self.place.document, (), self.policy))


def resolve_service(context: ServiceContext) -> Service:
    policy, place = context.policy, context.place
    base = policy.base_path or ""
    return Service(
        name=policy.service,
        owner=policy.owner,
        description=policy.description,
        hosts=tuple(sorted(policy.hosts)),
        base_path=base,
        strip="" if policy.keep_base_path else base,
        upstream=_upstream(policy.upstream, place.below("upstream")),
        limits=resolve_limits(policy.limits, place, f"service/{policy.service}"),
        budget=_budget(context),
        routes=_routes(context) if context.routes is None else context.routes,
        provenance=place.origins(
            name="service", owner="owner", description="description", hosts="hosts", base_path="base_path",
            strip="keep_base_path", upstream="upstream", limits="limits", budget="budget", routes="routes",
        ),
    )  # fmt: skip


def _routes(context: ServiceContext) -> tuple[Route, ...]:
    data, owner = context.place.document.known, f"route/{context.policy.service}"
    routes = []
    for index, policy in enumerate(context.policy.routes):
        settle = partial(_route, context, policy, index)
        route = None if data is None else context.memory.known(data, data["routes"][index], settle)
        if route is None:
            before, route = context.report.count, settle()
            if data is not None and context.report.count == before:
                context.memory.keep(data, data["routes"][index], route)
        else:
            path = _full_path(context.policy.base_path or "", policy.path)
            route = named(route, policy.name, policy.description, path, f"{owner}/{policy.name}")
        routes.append(route)
    return tuple(routes)


def _upstream(policy: UpstreamPolicy, place: Place) -> Upstream:
    return Upstream(
        endpoints=tuple(
            _endpoint(policy, index, place.below("endpoints", index)) for index in range(len(policy.endpoints))
        ),
        tls=_tls(policy, place.below("tls")),
        concurrency=policy.concurrency,
        breaker=_breaker(policy, place.below("breaker")),
        health=_health(policy, place.below("health")),
        provenance=place.origins(
            endpoints="endpoints", tls="tls", concurrency="concurrency", breaker="breaker", health="health"
        ),
    )


def _endpoint(policy: UpstreamPolicy, index: int, place: Place) -> Endpoint:
    endpoint = policy.endpoints[index]
    url = endpoint.url
    return Endpoint(
        scheme="https" if url.scheme == "https" else "http",
        address=address(HostPort(url.host, url.port), place.below("url")),
        weight=endpoint.weight,
        provenance=place.origins(scheme="url", address="url", weight="weight"),
    )


def _tls(policy: UpstreamPolicy, place: Place) -> UpstreamTls | None:
    if policy.endpoints[0].url.scheme != "https":
        return None
    settings = policy.tls
    key = settings.client_key if settings else None
    return UpstreamTls(
        ca=settings.ca.file if settings and settings.ca else None,
        sni=settings.sni if settings else None,
        client_certificate=settings.client_certificate.file if settings and settings.client_certificate else None,
        client_key=secret(key.secret, place.below("client_key", "secret")) if key else None,
        provenance=place.origins(ca="ca", sni="sni", client_certificate="client_certificate", client_key="client_key"),
    )


def _breaker(policy: UpstreamPolicy, place: Place) -> Breaker | None:
    if policy.breaker is None:
        return None
    origins = place.origins(failures="failures", open="open")
    return Breaker(failures=policy.breaker.failures, open=policy.breaker.open, provenance=origins)


def _health(policy: UpstreamPolicy, place: Place) -> Health | None:
    if policy.health is None:
        return None
    origins = place.origins(path="path", every="every")
    return Health(path=policy.health.path, every=policy.health.every, provenance=origins)


def resolve_limits(policies: Sequence[LimitPolicy], place: Place, owner: str) -> tuple[Limit, ...]:
    """`owner` makes the ids unique: platform, service/NAME or route/SERVICE/NAME."""
    return tuple(_limit(policy, place.below("limits", i), f"{owner}/{i}") for i, policy in enumerate(policies))


def _limit(policy: LimitPolicy, place: Place, name: str) -> Limit:
    header = None if isinstance(policy.per, str) else policy.per.header.lower()
    return Limit(
        id=name,
        key=LimitKey(policy.per) if isinstance(policy.per, str) else LimitKey.HEADER,
        header=header,
        rate=policy.rate,
        burst=policy.rate.tokens if policy.burst is None else policy.burst,
        shadow=policy.mode == "shadow",
        cluster=policy.scope == "cluster",
        provenance=place.origins(
            id="per", key="per", header="per.header", rate="rate", burst="burst", shadow="mode", cluster="scope"
        ),
    )


def _budget(context: ServiceContext) -> Budget | None:
    policy = context.policy.budget
    if policy is None:
        return None
    origins = context.place.below("budget").origins(units="units", charge="charge", cluster="scope")
    return Budget(units=policy.units, charge=policy.charge, cluster=policy.scope == "cluster", provenance=origins)


def _route(context: ServiceContext, policy: RoutePolicy, index: int) -> Route:
    place = context.place.below("routes", index)
    where = at(place.document, *place.path, "name")
    home = Origin.sought(lambda: Level.DEFAULT, where)
    place = Place(place.document, place.path, Level.ROUTE, where)
    layers = (*context.layers, Layer(Level.ROUTE, place.document, place.path, policy))
    subject = f"{context.policy.service}/{policy.name}"
    about = sections.RouteContext(
        subject, tuple(sorted(policy.methods)), policy.stream or policy.websocket, home, context.report
    )
    auth, auth_origin = sections.auth(layers, about)
    limits = resolve_limits(policy.limits, place, f"route/{subject}")
    _check_user_limits(limits, auth, auth_origin, about)
    body, body_origin = scalar(layers, "max_body", sections.MAX_BODY, home)
    cors, cache = sections.cors(layers, about), sections.cache(layers, auth_origin if auth else None, about)
    _check_pass_through(policy, place, about)
    return Route(
        name=policy.name,
        description=policy.description,
        path=_full_path(context.policy.base_path or "", policy.path),
        methods=about.methods,
        auth=auth,
        timeouts=sections.timeouts(layers, about),
        retries=sections.retries(layers, about),
        limits=limits,
        cost=1 if policy.cost is None else policy.cost,
        max_body=body,
        cors=cors,
        headers=sections.headers(layers, about),
        cache=cache,
        stream=policy.stream,
        websocket=policy.websocket,
        provenance={
            **place.origins(
                name="name", description="description", path="path", methods="methods", limits="limits", cost="cost",
                stream="stream", websocket="websocket",
            ),
            **{name: section(layers, name).origin(home) for name in _SECTIONS},
            "auth": auth_origin,
            "max_body": body_origin,
        },
    )  # fmt: skip


_SECTIONS = ("timeouts", "retries", "cors", "headers", "cache")


def _full_path(base: str, path: PathTemplate) -> PathTemplate:
    return path.under(_parsed(base)) if base else path


_parsed = lru_cache(parse_path)  # of base paths: each route of a service asks for the same


def _check_user_limits(
    limits: Sequence[Limit], auth: Auth | None, decided: Origin, about: sections.RouteContext
) -> None:
    from gwc.diagnostics import Related

    for limit in limits:
        if limit.key is LimitKey.USER and auth is None:
            related = (Related(decided.span, "public because of this"),)
            message = f"{about.subject} is public, so there is no user to count"
            hint = "count per ip, or ask for credentials"
            about.report.error("GWC228", limit.provenance["key"].span, message, hint=hint, related=related)


def _check_pass_through(policy: RoutePolicy, place: Place, about: sections.RouteContext) -> None:
    if policy.stream and policy.websocket:
        where = place.origin("websocket").span
        about.report.error("GWC229", where, f"{about.subject} is both a stream and a websocket", hint="keep one")
    if policy.websocket and "GET" not in policy.methods:
        where = place.origin("methods").span
        about.report.error(
            "GWC229", where, f"{about.subject}: a websocket starts with GET", hint="write methods: [GET]"
        )
