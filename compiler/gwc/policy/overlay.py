"""An environment merged over its policy: as nodes, which have positions, and as data, for whoever needs none.

Both mean the same: tests/property/test_quick.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gwc.document import ALTERNATIVES, Document, MappingNode, ScalarNode, SequenceNode, merge

Data = Mapping[str, Any]


def environments(document: Document) -> tuple[str, ...]:
    """The environments that the document declares."""
    node = document.items.get("environments")
    if isinstance(node, MappingNode):
        return tuple(node.items)
    return tuple(node) if isinstance(node, dict) else ()


def document_under(document: Document, environment: str | None) -> Document:
    """The document with one environment merged in. Without one it stays whole, and the model checks their names."""
    root = document.root
    overlays = root.items.get("environments")
    if environment is None or not isinstance(overlays, MappingNode):
        return document
    overlay = overlays.items[environment]
    rest = {key: value for key, value in root.items.items() if key != "environments"}
    base = MappingNode(rest, root.keys, root.span)
    return Document(document.source, _overlaid(base, overlay) if isinstance(overlay, MappingNode) else base)


def root_under(document: Document, environment: str | None) -> MappingNode:
    """The nodes of a valid document with one environment merged in."""
    return long_upstream(document_under(document, environment).root)


def _overlaid(base: MappingNode, overlay: MappingNode) -> MappingNode:
    # The short form is an endpoint and nothing else, so it overlays endpoints and takes no breaker or cap away.
    if type(base.items.get("upstream")) is type(overlay.items.get("upstream")):
        return merge(base, overlay)
    return merge(long_upstream(base), long_upstream(overlay))


def long_upstream(root: MappingNode) -> MappingNode:
    """`upstream: URL` as the endpoint that it is short for."""
    short = root.items.get("upstream")
    if not isinstance(short, ScalarNode) or not isinstance(short.value, str):
        return root
    endpoint = MappingNode({"url": short}, {"url": short.span}, short.span)
    upstream = MappingNode({"endpoints": SequenceNode((endpoint,), short.span)}, {"endpoints": short.span}, short.span)
    return MappingNode({**root.items, "upstream": upstream}, root.keys, root.span)


def long_form(data: Data) -> Data:
    short = data.get("upstream")
    return {**data, "upstream": {"endpoints": [{"url": short}]}} if isinstance(short, str) else data


def data_under(base: Data, overlay: Data) -> Data:
    if isinstance(base.get("upstream"), str) is isinstance(overlay.get("upstream"), str):
        return _merged(base, overlay)
    return _merged(long_form(base), long_form(overlay))


def _merged(base: Data, overlay: Data) -> dict[str, Any]:
    """As `gwc.document.merge` does with nodes."""
    items = dict(base)
    for key, value in overlay.items():
        items[key] = _value(key, items[key], value) if key in items else value
    return items


def _value(key: str, base: Any, overlay: Any) -> Any:
    if isinstance(base, dict) and isinstance(overlay, dict):
        return overlay if ALTERNATIVES.get(key, set()) & overlay.keys() else _merged(base, overlay)
    if key == "routes" and isinstance(base, list) and isinstance(overlay, list):
        return _routes(base, overlay)
    return overlay


def _routes(base: list[Any], overlay: list[Any]) -> list[Any]:
    routes = list(base)
    where = {_route_name(route): index for index, route in reversed(list(enumerate(routes)))}
    for route in overlay:
        index = where.pop(name, None) if (name := _route_name(route)) is not None else None
        if index is None:
            routes.append(route)
        else:
            routes[index] = _value("", routes[index], route)
    return routes


def _route_name(route: Any) -> str | None:
    name = route.get("name") if isinstance(route, dict) else None
    return name if isinstance(name, str) else None
