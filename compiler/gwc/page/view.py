"""What the page shows, decided: the template prints it, and the script of the page filters it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gwc import __version__
from gwc.document import Document
from gwc.ir import Gateway, Limit, LimitKey, Route, Service
from gwc.page import kept, platform, way
from gwc.page.choices import Choices, choices
from gwc.page.data import NOBODY, Data
from gwc.page.effective import Value, auth_text, limit_key, listed, request_bound, shared
from gwc.page.overview import overview
from gwc.page.picture import Layout, narrow, wide
from gwc.policy.variants import Loaded, platform_of
from gwc.support import Fidelity, SupportTable
from gwc.units import format_duration, format_rate

if TYPE_CHECKING:
    from gwc.policy import PlatformPolicy

FOLDED = 20
"""Services from which on they start folded."""


@dataclass(frozen=True, slots=True)
class Inexact:
    """A target that does not keep all of a route exactly; `fidelity` is the worst of it."""

    target: str
    fidelity: str


@dataclass(frozen=True, slots=True)
class RouteView:
    """A line of a service's table."""

    id: str
    name: str
    methods: tuple[str, ...]
    path: str
    auth: str
    scopes: str
    limits: tuple[str, ...]
    cache: str
    cost: str
    timeout: str
    marks: tuple[str, ...]
    inexact: tuple[Inexact, ...]


@dataclass(frozen=True, slots=True)
class ServiceView:
    name: str
    anchor: str
    owner: str
    description: str
    hosts: str
    base_path: str
    facts: tuple[Value, ...]
    summary: tuple[str, ...]
    routes: tuple[RouteView, ...]


@dataclass(frozen=True, slots=True)
class TargetView:
    name: str
    profile: str
    counts: Mapping[Fidelity, int]


@dataclass(frozen=True, slots=True)
class View:
    """Everything that the template needs, and `data` for the script."""

    version: str
    gateway: Gateway
    title: str
    description: str
    owners: tuple[tuple[str, tuple[ServiceView, ...]], ...]
    routes: int
    folded: bool
    facts: tuple[tuple[str, tuple[Value, ...]], ...]
    bounds: tuple[platform.Bound, ...]
    waivers: tuple[platform.Waiver, ...]
    matrix: tuple[kept.Row, ...]
    targets: tuple[TargetView, ...]
    layouts: tuple[Layout, ...]
    words: str
    counts: Mapping[str, int]
    choices: Mapping[str, Choices]
    data: Mapping[str, Any]


def view(gateway: Gateway, policies: Sequence[Loaded], tables: Sequence[SupportTable]) -> View:
    """`policies` are those that the gateway was made of, `tables` one a target."""
    policy, document = _platform(policies)
    documents = {loaded.document.source.name: loaded.document for loaded in policies}
    matrix = kept.rows(gateway, tables)
    waivers = tuple(platform.waivers(policy, document, gateway.now))
    data = Data(gateway, documents, kept.by_subject(matrix), waivers)
    services = [_service(service, data) for service in gateway.services]
    stages = overview(gateway)
    return View(
        version=__version__,
        gateway=gateway,
        title=f"The gateway of {policy.owner}" if policy.owner else "The gateway",
        description=policy.description,
        owners=_by_owner(services),
        routes=len(data.routes),
        folded=len(services) > FOLDED,
        facts=_grouped(platform.facts(gateway)),
        bounds=tuple(platform.bounds(document)),
        waivers=waivers,
        matrix=matrix,
        targets=tuple(_target(table, matrix) for table in tables),
        layouts=(wide(stages), narrow(stages)),
        words=way.in_words(stages),
        counts=data.counts,
        choices=choices(data.counts, [service.owner for service in services], tables),
        data=data.printed(),
    )


def _platform(policies: Sequence[Loaded]) -> tuple[PlatformPolicy, Document]:
    return next((policy, one.document) for one in policies if (policy := platform_of(one)) is not None)


def _service(service: Service, data: Data) -> ServiceView:
    for index in range(len(service.routes)):
        data.add(service, index)
    return ServiceView(
        name=service.name,
        anchor=f"service-{service.name}",
        owner=service.owner or NOBODY,
        description=service.description,
        hosts=listed(service.hosts) or "every host",
        base_path=service.base_path or "/",
        facts=tuple(shared(service)),
        summary=tuple(_summary(service)),
        routes=tuple(_route(service, route, data) for route in service.routes),
    )


def _summary(service: Service) -> Iterator[str]:
    """What a folded service tells."""
    counted: tuple[tuple[str, Callable[[Route], bool]], ...] = (
        ("public", lambda route: route.auth is None),
        ("cached", lambda route: route.cache is not None),
        ("limited", lambda route: bool(route.limits)),
    )
    for name, has in counted:
        if number := sum(map(has, service.routes)):
            yield f"{number} {name}"


def _route(service: Service, route: Route, data: Data) -> RouteView:
    subject = f"{service.name}/{route.name}"
    public = route.auth is None
    marks = {"stream": route.stream, "websocket": route.websocket, "cors": route.cors is not None}
    return RouteView(
        id=subject,
        name=route.name,
        methods=route.methods,
        path=route.path.text,
        auth=auth_text(route.auth),
        scopes=listed(route.auth.scopes) if route.auth else "",
        limits=tuple(_short(limit) for limit in (*service.limits, *route.limits) if _applies(limit, public)),
        cache=_cache_text(route),
        cost=f"{route.cost} of {format_rate(service.budget.units)}" if service.budget and not public else "",
        timeout=request_bound(route),
        marks=tuple(name for name, there in marks.items() if there),
        inexact=_inexact(data.notes(subject, service.name)),
    )


def _applies(limit: Limit, public: bool) -> bool:
    return not (public and limit.key is LimitKey.USER)


def _short(limit: Limit) -> str:
    return f"{format_rate(limit.rate)} {limit_key(limit)}" + (" (shadow)" if limit.shadow else "")


def _cache_text(route: Route) -> str:
    if route.cache is None:
        return ""
    return format_duration(route.cache.ttl) + (", each user" if route.cache.per_user else "")


def _inexact(notes: Sequence[kept.Note]) -> tuple[Inexact, ...]:
    found: dict[str, list[Fidelity]] = {}
    for note in notes:
        found.setdefault(note.target, []).append(note.fidelity)
    return tuple(Inexact(target, kept.worst(some).value) for target, some in sorted(found.items()))


def _by_owner(services: Sequence[ServiceView]) -> tuple[tuple[str, tuple[ServiceView, ...]], ...]:
    """Those without an owner last."""
    names = sorted({service.owner for service in services}, key=lambda name: (name == NOBODY, name))
    return tuple((name, tuple(one for one in services if one.owner == name)) for name in names)


def _grouped(found: Iterator[Value]) -> tuple[tuple[str, tuple[Value, ...]], ...]:
    groups: dict[str, list[Value]] = {}
    for value in found:
        groups.setdefault(value.group, []).append(value)
    return tuple((name, tuple(some)) for name, some in groups.items())


def _target(table: SupportTable, matrix: Sequence[kept.Row]) -> TargetView:
    cells = [cell for row in matrix if row.used for cell in row.cells if cell.target == table.target]
    return TargetView(table.target, table.profile, Counter(cell.fidelity for cell in cells))
