"""Routes whose policies say what was settled before: what a section comes to follows from what its levels say of it.

A little of the route belongs to it, and together they are its key here. Where all of it was written does not follow, so
that the route is settled after all for whoever asks for a place. A route with a fault is never kept: each that has the
fault is reported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from gwc.ir import LimitKey, Node, Origin, PathTemplate, Provenance, Route

SECTIONS = ("auth", "timeouts", "retries", "max_body", "cors", "headers", "cache")
_Key = tuple[object, ...]
_NONE: tuple[object, ...] = ()


class Memory:
    """Of all services of one gateway, whose platform says the same to each of them."""

    def __init__(self) -> None:
        self._kept: dict[_Key, Any] = {}
        self._limits: dict[str, Any] = {"None": _NONE}
        self._of: object = None
        self._above: list[tuple[str, str]] = []

    def _keys(self, service: Mapping[str, Any], route: Mapping[str, Any]) -> list[_Key]:
        """Of each section. The further parts are what the section's own code looks at, beyond its levels."""
        if self._of is not service:
            self._of, self._above = service, [(name, repr(service.get(name))) for name in SECTIONS]
        further = (
            *route["methods"],
            route.get("stream"),
            route.get("websocket"),
            repr(route.get("auth")),
            *self._above[0],
        )
        get = route.get
        return [(above, None if (own := get(above[0])) is None else repr(own), further) for above in self._above]

    def keep(self, service: Mapping[str, Any], data: Mapping[str, Any], route: Route) -> None:
        """`route` is what `data` come to, below `service`."""
        for key in self._keys(service, data):
            self._kept[key] = getattr(route, key[0][0])  # type: ignore[index]
        self._limits[repr(data.get("limits"))] = route.limits

    def known(self, service: Mapping[str, Any], data: Mapping[str, Any], settle: Callable[[], Route]) -> Route | None:
        """What `data` come to but for names and path, where all of it was seen before; places are those of `settle`."""
        if (
            data.get("stream")
            or data.get("websocket")
            or (limits := self._limits.get(repr(data.get("limits")))) is None
        ):
            return None
        places = _Places(settle)
        route = object.__new__(Route)
        values = vars(route)
        for key in self._keys(service, data):
            if key not in self._kept:
                return None
            name = key[0][0]  # type: ignore[index]
            values[name] = _placed(self._kept[key], places, (name,))
        if values["auth"] is None and any(limit.key is LimitKey.USER for limit in limits):
            return None  # a fault of the two together
        values["limits"] = tuple(_placed(limit, places, ("limits", index)) for index, limit in enumerate(limits))
        values["methods"] = tuple(sorted(data["methods"]))
        values["cost"] = data.get("cost", 1)
        values["stream"] = values["websocket"] = False
        values["provenance"] = _At(places, ())
        return route


def named(route: Route, name: str, description: str, path: PathTemplate, owner: str) -> Route:
    """A route that was `known`, with what is its own."""
    vars(route).update(name=name, description=description, path=path)
    for index, limit in enumerate(route.limits):
        vars(limit)["id"] = f"{owner}/{index}"
    return route


def _placed(node: Any, places: _Places, path: _Key) -> Any:
    """The same values at the route's own places."""
    if not isinstance(node, Node):
        return node
    copy = object.__new__(type(node))
    values = copy.__dict__
    values.update(node.__dict__, provenance=_At(places, path))
    if path == ("headers",):
        values["request"] = _placed(values["request"], places, ("headers", "request"))
        values["response"] = _placed(values["response"], places, ("headers", "response"))
    return copy


class _Places:
    """A route, settled when somebody asks where anything in it was written."""

    __slots__ = ("_route", "_settle")

    def __init__(self, settle: Callable[[], Route]) -> None:
        self._route: Route | None = None
        self._settle = settle

    def of(self, path: _Key) -> Provenance:
        if self._route is None:
            self._route = self._settle()
        node: Any = self._route
        for step in path:
            node = node[step] if isinstance(step, int) else getattr(node, str(step))
        found: Provenance = node.provenance
        return found


class _At(Mapping[str, Origin]):
    """The provenance of the node at `path` of a route."""

    __slots__ = ("_path", "_places")

    def __init__(self, places: _Places, path: _Key) -> None:
        self._places, self._path = places, path

    def __getitem__(self, leaf: str) -> Origin:
        return self._places.of(self._path)[leaf]

    def __iter__(self) -> Iterator[str]:
        return iter(self._places.of(self._path))

    def __len__(self) -> int:
        return len(self._places.of(self._path))
