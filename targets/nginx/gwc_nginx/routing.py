"""The order of matching as a tree of path segments that the njs module walks. Precedence is the compiler's: within a
node a literal comes before a parameter, which comes before a rest."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gwc.ir import Gateway, Route, Segment, SegmentKind, Service
from gwc.routing import PathEntry, host_tables
from gwc_nginx.conf import Directive, written

Node = dict[str, Any]


def route_name(service: Service, route: Route) -> str:
    """The name of a route in the whole gateway; a service's name is a DNS label, so it cannot hold a slash."""
    return f"{service.name}/{route.name}"


def shared(wanted: Iterable[tuple[str, tuple[Directive, ...]]]) -> dict[str, str]:
    """By route: the first one whose location holds the same directives. What differs between routes with equal
    settings is in variables, so the size of the configuration follows the settings and not the routes."""
    first: dict[tuple[str, ...], str] = {}
    return {name: first.setdefault(written(directives), name) for name, directives in wanted}


def tables(gateway: Gateway) -> tuple[dict[str, Node], Node]:
    """The tree of each named host, and the tree of all others, which also stands behind every named one."""
    *named, last = host_tables(gateway)
    behind = len(last.entries)
    return {f":{t.host}": tree(t.entries[: len(t.entries) - behind]) for t in named}, tree(last.entries)


def tree(entries: Iterable[PathEntry]) -> Node:
    root: Node = {}
    for entry in entries:
        node = root
        *inner, final = entry.path.segments
        for segment in inner:
            node = _step(node, segment)
        if final.kind is SegmentKind.REST:
            node["rest"] = _leaf(entry)
        else:
            _step(node, final)["end"] = _leaf(entry)
    return root


def _step(node: Node, segment: Segment) -> Node:
    if segment.kind is SegmentKind.PARAM:
        child: Node = node.setdefault("param", {})
    else:
        child = node.setdefault("literals", {}).setdefault(f"/{segment.text}", {})
    return child


def _leaf(entry: PathEntry) -> Node:
    methods = {f":{method}": route_name(m.service, m.route) for m in entry.routes for method in m.route.methods}
    return {"methods": methods, "allow": ", ".join(entry.allow)}
