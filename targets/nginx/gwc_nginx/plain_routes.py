"""The locations of profile plain: where a path leads by method, and what becomes of a request on each route."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from urllib.parse import unquote

from gwc.ir import Gateway, HeaderChanges, Route, SegmentKind, Service
from gwc.routing import HostTable, MethodRoute, PathEntry
from gwc_nginx import body, cors, headers, timeouts
from gwc_nginx import plain_cache as kept
from gwc_nginx.conf import Directive, block, d
from gwc_nginx.quoting import q, qlit, regex
from gwc_nginx.sections import Make, Own, Section, Shared, platform_of
from gwc_nginx.sharing import chosen, route_name

_NONE = "-"


def sections(gateway: Gateway, table: HostTable, *, own: int) -> Iterator[Section]:
    """The first `own` entries are the host's. What neighbours say of one service is a part of that service."""
    yield from _paths(gateway, table, own)
    routes = [found for entry in table.entries for found in entry.routes]
    yield from _runs(gateway, f"routes of {table.host}", _routes, [(one.service, one.route.name) for one in routes])
    stored = [(one.service, _stored(gateway, one.route)) for one in routes if kept.served(one.route)]
    yield from _runs(gateway, f"cached of {table.host}", _cached, stored)


def _runs(gateway: Gateway, name: str, make: Make, rows: Iterable[tuple[Service, str]]) -> Iterator[Section]:
    seen = Counter[str]()
    for service, run in groupby(rows, key=lambda row: row[0].name):
        of = list(run)
        given = "\n".join([text for _, text in of])
        yield Own(platform_of(gateway), of[0][0], f"{name} {seen[service]}", make, given, depth=1)
        seen[service] += 1


def _stored(gateway: Gateway, route: Route) -> str:
    """With the variable that holds what a request has of the listed parameters."""
    query = route.cache.vary_query if route.cache is not None else ()
    return f"{route.name} {kept.queries(gateway)[query] if query else _NONE}"


def _paths(gateway: Gateway, table: HostTable, own: int) -> Iterator[Section]:
    """A host's own paths first, however wide: `=` would put a literal path of the others before them. The same path
    of both would be a duplicate to NGINX; the first one decides. A path of several services is no part of any."""
    seen = Counter[str]()
    for name, run in groupby(_first(table, own), key=lambda found: _only(found[1])):
        rows = [(exactly, entry, _numbers(gateway, entry)) for exactly, entry in run]
        if name is None:
            yield Shared(tuple(_entry(*row) for row in rows), depth=1)
            continue
        service = rows[0][1].routes[0].service
        given = "\n".join([_written(*row) for row in rows])
        yield Own(platform_of(gateway), service, f"paths of {table.host} {seen[name]}", _entries, given, depth=1)
        seen[name] += 1


def _first(table: HostTable, own: int) -> Iterator[tuple[bool, PathEntry]]:
    seen = set()
    for index, entry in enumerate(table.entries):
        if entry.path.shape not in seen:
            seen.add(entry.path.shape)
            yield index < own, entry


def _only(entry: PathEntry) -> str | None:
    """The name of the one service that the path is of."""
    first, *others = [found.service.name for found in entry.routes]
    return None if any(name != first for name in others) else first


Numbers = Sequence[int | None]
"""Of the CORS policies of an entry's routes, among all that there are."""


def _numbers(gateway: Gateway, entry: PathEntry) -> Numbers:
    return [cors.number(gateway, found.route.cors) for found in entry.routes]


def _written(exactly: bool, entry: PathEntry, numbers: Numbers) -> str:
    routes = [f"{found.route.name}={number}" for found, number in zip(entry.routes, numbers, strict=True)]
    return " ".join([str(exactly), *routes])


def _read(service: Service, row: str) -> tuple[bool, PathEntry, Numbers]:
    exactly, *words = row.split(" ")
    pairs = [word.split("=") for word in words]
    routes = tuple(MethodRoute(service, route) for route in chosen(service, [name for name, _ in pairs]))
    entry = PathEntry(routes[0].route.path, routes)
    return exactly == str(True), entry, [None if number == str(None) else int(number) for _, number in pairs]


def _entries(_: Gateway, service: Service, given: str) -> Iterator[Directive]:
    return (_entry(*_read(service, row)) for row in given.split("\n"))


def _entry(exactly: bool, entry: PathEntry, numbers: Numbers) -> Directive:
    """Where a path leads, by method. `=` wins over every pattern, as a literal path does; patterns are in order. What
    answers say of a route is settled here: a body that is too large is refused on the way to the route's location."""
    choices = (
        block(
            "if",
            f"($request_method = {method})",
            of=(
                d("set", "$gwc_route", q(name)),
                *cors.named(number),
                d("rewrite", "^", q(kept.place(m.route, method, name)), "last"),
            ),
        )
        for m, number in zip(entry.routes, numbers, strict=True)
        for name in [route_name(m.service, m.route)]
        for method in m.route.methods
    )
    refusal = (d("set", "$gwc_allow", q(", ".join(entry.allow))), d("return", "405"))
    origin = (entry.routes[0].route, "path")
    of = (*cors.choices(entry, numbers), *choices, *refusal)
    return block("location", *_matcher(entry, exactly), of=of, origin=origin)


def _matcher(entry: PathEntry, exactly: bool) -> tuple[str, str]:
    segments = entry.path.segments
    if exactly and all(s.kind is SegmentKind.LITERAL for s in segments):
        return "=", q("/" + "/".join(unquote(s.text) for s in segments))
    parts = {SegmentKind.PARAM: "[^/]+", SegmentKind.REST: ".*"}
    pattern = "/".join(parts.get(s.kind) or regex(unquote(s.text)) for s in segments)
    return "~", q(rf"(?s)^/{pattern}\z")


def _routes(platform: Gateway, service: Service, given: str) -> Iterator[Directive]:
    return (_route(platform, service, route) for route in chosen(service, given.split("\n")))


def _route(platform: Gateway, service: Service, route: Route) -> Directive:
    name = route_name(service, route)
    origin = (route, "path")
    matcher = ("=", q(f"/_gwc/route/{name}"))
    if route.auth is not None:
        # Fail closed: credentials that nothing here can verify open no route.
        return block("location", *matcher, of=(d("internal"), d("return", "401")), origin=origin)
    return block("location", *matcher, origin=origin, of=(
        d("internal"),
        *headers.own(headers.of_plain(platform), route),
        *_answering(platform, route),
        *kept.past(route),
        d("proxy_ignore_headers", *headers.ACCEL),
        *_to_hop(service, name),
    ))  # fmt: skip


def _cached(platform: Gateway, service: Service, given: str) -> Iterator[Directive]:
    """The store answers, or the hop is asked."""
    for row in given.split("\n"):
        name, query = row.split(" ")
        (route,) = chosen(service, [name])
        yield _store(platform, service, route, q("") if query == _NONE else query)


def _store(platform: Gateway, service: Service, route: Route, query: str) -> Directive:
    assert route.cache is not None
    name = route_name(service, route)
    origin = (route.cache, "ttl")
    return block("location", "=", q(f"/_gwc/cache/{name}"), origin=origin, of=(
        d("internal"),
        *kept.asking(platform, route, query),
        *_answering(platform, route),
        *kept.store(route),
        *kept.hidden(),
        *_to_hop(service, name),
    ))  # fmt: skip


def correlation(gateway: Gateway) -> Directive:
    return d("add_header", q(gateway.request_id.header), "$gwc_request_id", "always")


def _answering(platform: Gateway, route: Route) -> tuple[Directive, ...]:
    """What does not depend on where an answer comes from."""
    return (
        *body.limit(route),
        *timeouts.client(route),
        *body.flow(route),
        *_response(route.headers.response),
        *cors.hidden(route.cors),
        *cors.answers(),
        correlation(platform),
        *((kept.TOLD,) if kept.served(route) else ()),
        d("proxy_hide_header", q(platform.request_id.header)),
        d("proxy_hide_header", "X-Gwc-Address"),
        *timeouts.to_retries(route, watch=False),
    )


def _to_hop(service: Service, name: str) -> tuple[Directive, ...]:
    """NGINX escapes a path that it rewrote itself; put into proxy_pass, its decoded bytes could end the request."""
    below = rf"(?s)^{regex(service.strip)}/?(?<gwc_below>.*)\z"
    return (
        d("rewrite", "^", "$gwc_path"),
        d("rewrite", q(below), q(f"/_gwc/hop/{name}/$gwc_below"), "break"),
        d("proxy_pass", "http://gwc_hop"),
    )


def _response(changes: HeaderChanges) -> Iterator[Directive]:
    yield from (d("proxy_hide_header", q(name)) for name in changes.remove)
    for name, value in changes.set:
        yield d("proxy_hide_header", q(name))
        yield d("add_header", q(name), qlit(value), "always")
