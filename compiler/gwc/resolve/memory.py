"""Routes whose policies say what was settled before: what a section comes to follows from what its levels say of it.

A little of the route belongs to it, and together they are its key here. Where all of it was written does not follow, so
that the route is settled after all for whoever asks for a place. A route with a fault is never kept: each that has the
fault is reported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from gwc.ir import Limit, LimitKey, Node, Origin, PathTemplate, Provenance, Route

ALONE = ("auth", "timeouts", "retries", "max_body", "headers")
"""Sections that follow from their own levels, whatever else a route says."""
BESIDE = ("cors", "cache")
"""And those that look at a route's methods and credentials, too."""
_Key = tuple[object, ...]
_Table = dict[object, Any]
_UNKNOWN = object()
_new, _set, _place = object.__new__, object.__setattr__, Node.provenance.__set__  # type: ignore[attr-defined]


class Memory:
    """Of all services of one gateway, whose platform says the same to each of them."""

    def __init__(self) -> None:
        self._kept: dict[_Key, _Table] = {}
        self._limits: dict[str, tuple[Limit, ...]] = {"None": ()}
        self._of: object = None
        self._alone: list[tuple[str, _Table]] = []
        self._beside: list[tuple[str, _Table]] = []

    def _enter(self, service: Mapping[str, Any]) -> None:
        """From now on sections come below those of `service`. Each has a table, by what a route says of it."""
        auth = repr(service.get("auth"))
        above = {name: repr(service.get(name)) for name in (*ALONE, *BESIDE)}
        self._of = service
        self._alone = [(name, self._kept.setdefault((name, above[name]), {})) for name in ALONE]
        self._beside = [(name, self._kept.setdefault((name, above[name], auth), {})) for name in BESIDE]

    def _entries(self, service: Mapping[str, Any], route: Mapping[str, Any]) -> Iterator[tuple[str, _Table, object]]:
        """Each section of the route with its table and its key there."""
        if self._of is not service:
            self._enter(service)
        for name, table in self._alone:
            own = route.get(name)
            yield name, table, None if own is None else repr(own)
        beside = (*route["methods"], repr(route.get("auth")))
        for name, table in self._beside:
            own = route.get(name)
            yield name, table, (beside, None if own is None else repr(own))

    def keep(self, service: Mapping[str, Any], data: Mapping[str, Any], route: Route) -> None:
        """`route` is what `data` come to, below `service`."""
        if not _passes_through(data):
            for name, table, key in self._entries(service, data):
                table.setdefault(key, getattr(route, name))
            self._limits[repr(data.get("limits"))] = route.limits

    def known(self, service: Mapping[str, Any], data: Mapping[str, Any], settle: Callable[[], Route]) -> Route | None:
        """What `data` come to but for names and path, where all of it was seen before; places are those of `settle`."""
        limits = self._limits.get(repr(data.get("limits")))
        if limits is None or _passes_through(data):
            return None
        values: dict[str, Any] = {}
        for name, table, key in self._entries(service, data):
            found = table.get(key, _UNKNOWN)
            if found is _UNKNOWN:
                return None
            values[name] = found
        if values["auth"] is None and any(limit.key is LimitKey.USER for limit in limits):
            return None  # a fault of the two together
        return _route(values, limits, data, _Places(settle))


def _passes_through(data: Mapping[str, Any]) -> bool:
    return bool(data.get("stream") or data.get("websocket"))


def _route(sections: dict[str, Any], limits: tuple[Limit, ...], data: Mapping[str, Any], places: _Places) -> Route:
    values = {
        name: _placed(node, places, (name,)) if isinstance(node, Node) else node for name, node in sections.items()
    }
    values["headers"] = _placed_headers(sections["headers"], places)
    values["limits"] = tuple([_own(_placed(one, places, ("limits", at))) for at, one in enumerate(limits)])
    values["methods"] = tuple(sorted(data["methods"]))
    values["cost"] = data.get("cost", 1)
    values["stream"] = values["websocket"] = False
    route = _new(Route)
    _set(route, "__dict__", values)
    _place(route, _At(places, ()))
    return route


def named(route: Route, name: str, description: str, path: PathTemplate, owner: str) -> Route:
    """A route that was `known`, with what is its own."""
    vars(route).update(name=name, description=description, path=path)
    for index, limit in enumerate(route.limits):
        vars(limit)["id"] = f"{owner}/{index}"
    return route


def _placed(node: Any, places: _Places, path: _Key) -> Any:
    """The very same values at the route's own place."""
    copy = _new(type(node))
    _set(copy, "__dict__", node.__dict__)
    _place(copy, _At(places, path))
    return copy


def _own(node: Any) -> Any:
    """With values of its own, which may be changed as long as nobody else has seen the node."""
    _set(node, "__dict__", dict(node.__dict__))
    return node


def _placed_headers(node: Any, places: _Places) -> Any:
    copy = _own(_placed(node, places, ("headers",)))
    for name in ("request", "response"):
        vars(copy)[name] = _placed(getattr(node, name), places, ("headers", name))
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
