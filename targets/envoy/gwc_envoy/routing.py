"""Virtual hosts and routes: prints the order that `gwc.routing` has decided.

Each virtual host refuses encoded slashes first, then tries the entries in order; behind an entry's methods stands its
405, behind all entries the 404. Where there are many entries, each branch of a tree is such a list.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import groupby

from gwc.derived import per_gateway
from gwc.ir import Gateway, PathTemplate, Route, SegmentKind, Service
from gwc.routing import HostTable, MethodRoute, PathEntry, host_tables
from gwc_envoy import (
    access_log,
    actions,
    auth,
    body,
    budget,
    cache,
    cluster_budget,
    cors,
    grpc,
    headers,
    limits,
    retries,
)
from gwc_envoy.alike import Alike, Likeness
from gwc_envoy.counting import Counting, counting
from gwc_envoy.faults import Judge
from gwc_envoy.rows import Rows, Run
from gwc_envoy.shared import Shared, shared, shared_list
from gwc_envoy.tree import branches, matched
from gwc_envoy.xds import Json, pattern, set_header

ENCODED_SLASH = r"(?i).*%(2f|5c|00).*"
"""A path that means different things to different parsers. `%252F` is none: its percent sign is the data."""

_PLACEHOLDER = {SegmentKind.PARAM: "[^/]+", SegmentKind.REST: ".*"}


def route_configuration(gateway: Gateway, listener: str) -> Json:
    """`listener`: which one has it. They all have the same."""
    judge = Judge(known=configurable(gateway), public=True)
    hosts = Rows(
        listener,
        lambda: (_virtual_host(gateway, table, listener, judge) for table in host_tables(gateway)),
        judge=judge,
    )
    return {
        "name": "gwc",
        "ignore_port_in_host_matching": True,
        "request_headers_to_remove": headers.request_headers_to_remove(gateway),
        "virtual_hosts": hosts,
    }


def configurable(gateway: Gateway) -> tuple[str, ...]:
    """The filters of a listener that routes may say something to."""
    present = {body.FILTER: True, cors.PREFLIGHT: cors.used(gateway), **_idle(gateway)}
    return tuple(name for name, there in present.items() if there)


@per_gateway
def _idle(gateway: Gateway) -> Json:
    """Switches off the filters to which a route says nothing."""
    return {**auth.unasked(gateway), **limits.unanswered(gateway)}


def _virtual_host(gateway: Gateway, table: HostTable, listener: str, judge: Judge) -> Json:
    """A few routes are a list, and many a tree of lists."""
    found, placed = branches([entry.path for entry in table.entries]), _placed(table)

    def routes(branch: str, held: Sequence[_Placed]) -> Rows:
        name = f"{listener}/{table.host or '*'}{branch}"
        return Rows(name, lambda: _streamed(gateway, held), lambda: _whole(gateway, held), judge)

    lists = {one.prefix: routes(one.prefix or "", [placed[number] for number in one.entries]) for one in found}
    return {
        "name": table.host or "any",
        "domains": _domains(table.host),
        "typed_per_filter_config": {**body.UNREAD, **auth.unasked(gateway)},
        **(matched(lists) if lists else {"routes": routes("", placed)}),
    }


@lru_cache(maxsize=4)
def _read(idle: str) -> dict[str, Shared]:
    return {name: Shared(off) for name, off in json.loads(idle).items()}


@lru_cache(maxsize=1)
def _first() -> list[Shared]:
    slash = _refusal("encoded-slash", {"safe_regex": {"regex": ENCODED_SLASH}}, 400)
    return [Shared(grpc.refusal()), Shared(slash)]


@lru_cache(maxsize=1)
def _last() -> Shared:
    return Shared(_refusal("not-found", {"prefix": "/"}, 404))


_Placed = tuple[PathEntry, Service | None, int]
"""An entry, the service that alone has routes of its path, and which one of that service's paths it is."""


def _placed(table: HostTable) -> list[_Placed]:
    passed = Counter[str]()
    found: list[_Placed] = []
    for entry in table.entries:
        service = entry.routes[0].service
        names = {one.service.name for one in entry.routes}
        found.append((entry, service if len(names) == 1 else None, passed[service.name]))
        passed.update(names)
    return found


def _whole(gateway: Gateway, held: Sequence[_Placed]) -> Iterator[Json]:
    yield from _first()
    for entry, _, _ in held:
        yield from _entry(gateway, entry, _matched(entry), json.dumps(_idle(gateway)))
    yield _last()


def _streamed(gateway: Gateway, held: Sequence[_Placed]) -> Iterator[Json | Run]:
    """Neighbouring paths of one service are a run. Those that services share belong to none of them."""
    yield from _first()
    idle = json.dumps(_idle(gateway))
    for _, stretch in groupby(held, lambda one: None if one[1] is None else one[1].name):
        found = list(stretch)
        service = found[0][1]
        if service is None:
            for entry, _, _ in found:
                yield from _entry(gateway, entry, _matched(entry), idle)
        else:
            yield Run(service, entries, (idle, *(number for _, _, number in found)))
    yield _last()


def entries(gateway: Gateway, idle: str, *numbers: int) -> Iterator[Json | Alike]:
    """Those of the only service's own paths, in the order of matching."""
    (service,) = gateway.services
    likeness = Likeness(_entry, gateway, service, idle)
    own = host_tables(gateway)[0].entries
    for entry in [own[number] for number in numbers]:
        path = _matched(entry)
        if (alike := likeness.of(entry, path)) is not None:
            yield alike
        else:
            yield from _entry(gateway, entry, path, idle)


def _domains(host: str | None) -> list[str]:
    """A name with the root's dot is the same name. IPv6 literals stand in brackets in a Host header."""
    if host is None:
        return ["*"]
    return [f"[{host}]"] if ":" in host else [host, f"{host}."]


def _matched(entry: PathEntry) -> Json:
    return {name: Shared(value) if type(value) is dict else value for name, value in path_match(entry.path).items()}


def _entry(gateway: Gateway, entry: PathEntry, path: Json, idle: str) -> Iterator[Json]:
    """`path` is how it is matched; `idle`, in JSON, switches off the filters to which a route says nothing."""
    yield from cors.preflights(gateway, entry, path)
    if (foreign := cors.foreign(entry, path)) is not None:
        yield _refusal("foreign-origin", foreign, 403)
    for found in entry.routes:
        for methods in retries.method_groups(found.route):
            if found.route.websocket:
                yield _forward(gateway, found, path, methods, idle, upgraded=True)
            yield _forward(gateway, found, path, methods, idle)
    refusal = _refusal("method-not-allowed", path, 405)
    refusal["response_headers_to_add"] = _allowing(entry.allow)
    yield refusal


@shared_list
def _allowing(methods: tuple[str, ...]) -> list[Json]:
    return [set_header("allow", ", ".join(methods))]


def path_match(path: PathTemplate) -> Json:
    """Plain comparison where it is enough; patterns match the whole path without its query."""
    kinds = [segment.kind for segment in path.segments]
    texts = [segment.text for segment in path.segments]
    if all(kind is SegmentKind.LITERAL for kind in kinds):
        return {"path": "/" + "/".join(texts)}
    if kinds[-1] is SegmentKind.REST and SegmentKind.PARAM not in kinds:
        return {"prefix": "/".join(["", *texts[:-1], ""])}
    parts = [_PLACEHOLDER.get(kind) or pattern(text) for kind, text in zip(kinds, texts, strict=True)]
    return {"safe_regex": {"regex": "/" + "/".join(parts)}}


_UPGRADE = Shared({"name": "upgrade", "string_match": {"exact": "websocket", "ignore_case": True}})
"""Of a request that is none Envoy takes the header away before it looks for a route."""


def _forward(
    gateway: Gateway, found: MethodRoute, path: Json, methods: tuple[str, ...], idle: str, upgraded: bool = False
) -> Json:
    service, route = found.service, found.route
    chain = actions.chain(gateway, service, route, methods)
    counted = counting(gateway, service, route)
    notes = _notes(gateway, service, route, counted, upgraded)
    told = tuple([name for name in _read(idle) if name in notes])
    return {
        "name": f"{service.name}/{route.name}",
        "match": {**path, "headers": _asked(methods, upgraded)},
        "metadata": {"filter_metadata": notes},
        "route": counted.limiting(chain.own),
        "request_body_buffer_limit": body.buffer_limit(route),
        "typed_per_filter_config": _per_filter(body.bound(route, upgraded), auth.requirement(route), idle, told),
        **headers.route_fields(service, route, actions.key_header(chain), cluster_budget.settles(gateway, service)),
    }


@shared
def _per_filter(bound: int | None, requirement: str | None, idle: str, told: tuple[str, ...]) -> Json:
    """`told`: the filters that learn from the route's metadata what to do, and are not idle."""
    asked = {**body.per_route(bound), **auth.per_route(requirement)}
    return {**asked, **{name: off for name, off in _read(idle).items() if name not in asked and name not in told}}


def _notes(gateway: Gateway, service: Service, route: Route, counted: Counting, upgraded: bool) -> Json:
    """What log lines and filters know about the route."""
    own = budget.applies(service, route)
    return {
        "gwc": cors.names(service, route.name),
        **auth.metadata(route, own.units.period if own else None),
        **counted.notes(own or cluster_budget.spent(gateway, service, route)),
        **cors.metadata(route.cors),
        **access_log.metadata(gateway, service, route, upgraded),
        **budget.metadata(service, route),
        **cluster_budget.metadata(gateway, service, route),
        **cache.metadata(service, route),
    }


@shared_list
def _asked(methods: tuple[str, ...], upgraded: bool) -> list[Json]:
    """Methods are case-sensitive."""
    one = len(methods) == 1
    value = {"exact": methods[0]} if one else {"safe_regex": {"regex": "|".join(methods)}}
    return [{"name": ":method", "string_match": value}, *([_UPGRADE] if upgraded else [])]


def _refusal(name: str, path: Json, status: int) -> Json:
    return {"name": name, "match": path, "metadata": _OPEN_TO_ALL, "direct_response": _status(status)}


@shared
def _status(status: int) -> Json:
    return {"status": status}


_OPEN_TO_ALL = Shared({"filter_metadata": {**access_log.NO_ROUTE, auth.FILTER: {"accepts": "none"}}})
