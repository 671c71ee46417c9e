"""The order of matching as a tree of path segments that the njs module walks. Precedence is the compiler's: within a
node a literal comes before a parameter, which comes before a rest."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any

from gwc.derived import per_gateway
from gwc.ir import Gateway, Route, Segment, SegmentKind, Service
from gwc.routing import PathEntry, host_tables
from gwc_nginx.breaker import guarded

Node = dict[str, Any]
"""Keys: "/text" a literal, "{}" a parameter, "**" a rest, "." the end. The last two hold a leaf: for each method the
method, the route and the route whose settings it shares, parted by spaces. NGINX is slow to load values, so a leaf is
one."""


def route_name(service: Service, route: Route) -> str:
    """The name of a route in the whole gateway; a service's name is a DNS label, so it cannot hold a slash."""
    return f"{service.name}/{route.name}"


def routes(gateway: Gateway) -> Iterator[tuple[str, Service, Route]]:
    for service in gateway.services:
        for route in service.routes:
            yield route_name(service, route), service, route


@per_gateway
def shared(gateway: Gateway) -> dict[str, str]:
    """By route: the first one with the same settings. What differs between them is in variables, so the size of the
    output follows the settings and not the routes."""
    return _first(gateway, lambda service, route: (_place(service, route), *_guards(service, route)))


def _guards(service: Service, route: Route) -> tuple[Hashable, ...]:
    """A budget belongs to its service, so that routes of two services share nothing of it."""
    budget = (service.budget, service.name, route.cost) if service.budget is not None else None
    return (route.auth, route.cors, service.limits, route.limits, budget)


@per_gateway
def places(gateway: Gateway) -> dict[str, str]:
    """By route: the first one with the same directives, and so the one whose location it shares."""
    return _first(gateway, _place)


def _first(gateway: Gateway, key: Callable[[Service, Route], Hashable]) -> dict[str, str]:
    first: dict[Hashable, str] = {}
    return {name: first.setdefault(key(service, route), name) for name, service, route in routes(gateway)}


def distinct(gateway: Gateway, same: dict[str, str]) -> Iterator[tuple[str, Service, Route]]:
    """The routes that stand for others."""
    yield from (found for found in routes(gateway) if same[found[0]] == found[0])


def _place(service: Service, route: Route) -> Hashable:
    upstream = service.upstream
    names = tuple(e.address.host for e in upstream.endpoints) if upstream.tls is not None else ()
    forwarding = (upstream.endpoints[0].scheme, upstream.tls, names, len(service.strip), guarded(service))
    own = (
        upstream.concurrency,
        route.max_body,
        route.timeouts,
        route.retries,
        route.headers,
        route.stream,
        route.websocket,
        route.cache,
    )
    return (*forwarding, *own)


def tables(gateway: Gateway) -> tuple[dict[str, Node], Node]:
    """The tree of each named host, and the tree of all others, which also stands behind every named one."""
    same = shared(gateway)

    def leaf(entry: PathEntry) -> str:
        named = ((method, route_name(m.service, m.route)) for m in entry.routes for method in m.route.methods)
        return " ".join(f"{method} {name} {same[name]}" for method, name in sorted(named))

    *named, last = host_tables(gateway)
    behind = len(last.entries)
    own = {f":{bracketed(t.host)}": tree(t.entries[: len(t.entries) - behind], leaf) for t in named if t.host}
    return own, tree(last.entries, leaf)


def bracketed(host: str) -> str:
    """As NGINX has it in $host and in server_name: an IPv6 address stands in brackets."""
    return f"[{host}]" if ":" in host else host


def tree(entries: Iterable[PathEntry], leaf: Callable[[PathEntry], str]) -> Node:
    root: Node = {}
    for entry in entries:
        node = root
        *inner, final = entry.path.segments
        for segment in inner:
            node = node.setdefault(_key(segment), {})
        if final.kind is not SegmentKind.REST:
            node = node.setdefault(_key(final), {})
        node["**" if final.kind is SegmentKind.REST else "."] = leaf(entry)
    return root


def _key(segment: Segment) -> str:
    return "{}" if segment.kind is SegmentKind.PARAM else f"/{segment.text}"
