"""One service's policy, over the platform's defaults, as an ir.Service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

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
from gwc.policy.variants import Loaded
from gwc.resolve import sections
from gwc.resolve.levels import Layer, scalar
from gwc.resolve.memory import Memory
from gwc.resolve.platform import Place, Top, address, secret
from gwc.resolve.written import INHERITED, LIMIT, OWN, Written, route_origin, route_place
from gwc.resolve.written import home as home_of

if TYPE_CHECKING:
    from gwc.policy.limits import LimitPolicy
    from gwc.policy.service import RoutePolicy, ServicePolicy
    from gwc.policy.upstream import UpstreamPolicy


@dataclass(frozen=True)
class ServiceContext:
    loaded: Loaded
    policy: ServicePolicy
    defaults: Layer
    report: Report
    memory: Memory
    routes: tuple[Route, ...] | None = None
    """Where they are known already: of an environment that changes nothing that routes are made of."""

    @cached_property
    def place(self) -> Place:
        """Of a document without data: places outlive the policies."""
        return Place(Top(self.loaded.document.without_data(), (), Level.SERVICE, ("service",)))

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        return (self.defaults, Layer(Level.SERVICE, self.place.document, (), self.policy))

    @cached_property
    def written(self) -> Written:
        return Written(self.defaults, self.place, self.policy)


_SERVICE = {
    "name": "service", "owner": "owner", "description": "description", "hosts": "hosts", "base_path": "base_path",
    "strip": "keep_base_path", "upstream": "upstream", "limits": "limits", "budget": "budget", "routes": "routes",
}  # fmt: skip


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
        provenance=place.origins_of(_SERVICE),
    )


def _routes(context: ServiceContext) -> tuple[Route, ...]:
    if (data := context.loaded.document.known) is None:
        return tuple([_route(context, index) for index in range(len(context.policy.routes))])
    known, written, found = context.memory.known, context.written, []
    base = _parsed(context.policy.base_path) if context.policy.base_path else None
    for index, policy in enumerate(context.policy.routes):
        path = policy.path if base is None else policy.path.under(base)
        route = known(data, index, policy, path, written)
        found.append(_to_remember(context, data, index, path) if route is None else route)
    return tuple(found)


def _to_remember(context: ServiceContext, data: Mapping[str, Any], index: int, path: PathTemplate) -> Route:
    before, route = context.report.count, _route(context, index)
    if context.report.count != before:
        return route
    context.memory.keep(data, data["routes"][index], route)
    return context.memory.known(data, index, context.policy.routes[index], path, context.written) or route


_UPSTREAM = {name: name for name in ("endpoints", "tls", "concurrency", "breaker", "health")}
_ENDPOINT = {"scheme": "url", "address": "url", "weight": "weight"}
_BREAKER = {"failures": "failures", "open": "open"}
_HEALTH = {"path": "path", "every": "every"}
_BUDGET = {"units": "units", "charge": "charge", "cluster": "scope"}


def _upstream(policy: UpstreamPolicy, place: Place) -> Upstream:
    return Upstream(
        endpoints=tuple(
            _endpoint(policy, index, place.below("endpoints", index)) for index in range(len(policy.endpoints))
        ),
        tls=_tls(policy, place.below("tls")),
        concurrency=policy.concurrency,
        breaker=_breaker(policy, place.below("breaker")),
        health=_health(policy, place.below("health")),
        provenance=place.origins_of(_UPSTREAM),
    )


def _endpoint(policy: UpstreamPolicy, index: int, place: Place) -> Endpoint:
    endpoint = policy.endpoints[index]
    url = endpoint.url
    return Endpoint(
        scheme="https" if url.scheme == "https" else "http",
        address=address(HostPort(url.host, url.port), place.below("url")),
        weight=endpoint.weight,
        provenance=place.origins_of(_ENDPOINT),
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
    return Breaker(failures=policy.breaker.failures, open=policy.breaker.open, provenance=place.origins_of(_BREAKER))


def _health(policy: UpstreamPolicy, place: Place) -> Health | None:
    if policy.health is None:
        return None
    return Health(path=policy.health.path, every=policy.health.every, provenance=place.origins_of(_HEALTH))


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
        provenance=place.origins_of(LIMIT),
    )


def _budget(context: ServiceContext) -> Budget | None:
    policy = context.policy.budget
    if policy is None:
        return None
    origins = context.place.below("budget").origins_of(_BUDGET)
    return Budget(units=policy.units, charge=policy.charge, cluster=policy.scope == "cluster", provenance=origins)


def _route(context: ServiceContext, index: int) -> Route:
    policy, place = context.policy.routes[index], route_place(context.place, index)
    home = home_of(place)
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
            **place.origins_of(OWN),
            **{name: route_origin(name, layers, about) for name in INHERITED},
            "auth": auth_origin,
            "max_body": body_origin,
        },
    )


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
