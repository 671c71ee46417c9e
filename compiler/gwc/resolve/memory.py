"""Routes whose policies say what was settled before: what a section comes to follows from what its levels say of it.

A little of the route belongs to it, and together they are its key here. Where all of it was written does not follow,
and is settled for whoever asks (`gwc.resolve.written`). A route with a fault is never kept: each that has the fault is
reported.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from gwc.ir import Headers, Limit, LimitKey, Node, PathTemplate, Provenance, Route
from gwc.resolve.written import OfLimit, OfOwnSection, OfRoute, OfSection, Written

if TYPE_CHECKING:
    from gwc.policy.service import RoutePolicy

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
        self._methods: dict[tuple[str, ...], tuple[str, ...]] = {}
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

    def known(
        self, service: Mapping[str, Any], index: int, policy: RoutePolicy, path: PathTemplate, written: Written
    ) -> Route | None:
        """The service's route at `index`, where all that it comes to was seen before. `path` is its whole path."""
        data = service["routes"][index]
        limits = self._limits.get(repr(data.get("limits")))
        if limits is None or _passes_through(data):
            return None
        values: dict[str, Any] = {}
        for name, table, key in self._entries(service, data):
            found = table.get(key, _UNKNOWN)
            if found is _UNKNOWN:
                return None
            if isinstance(found, Node):
                at = (OfSection if data.get(name) is None else OfOwnSection)(written, index, _PATHS[name])
                found = _placed_headers(found, at) if isinstance(found, Headers) else _placed(found, at)
            values[name] = found
        if values["auth"] is None and any(limit.key is LimitKey.USER for limit in limits):
            return None  # a fault of the two together
        owner = f"route/{service['service']}/{policy.name}"
        values["name"], values["description"], values["path"] = policy.name, policy.description, path
        values["limits"] = tuple([_limit(one, at, owner, written, index) for at, one in enumerate(limits)])
        values["methods"] = self._sorted(policy.methods)
        values["cost"] = 1 if policy.cost is None else policy.cost
        values["stream"] = values["websocket"] = False
        route = _new(Route)
        for name, value in values.items():
            _set(route, name, value)  # not as a dict, which takes more memory
        _place(route, OfRoute(written, index, ()))
        return route

    def _sorted(self, methods: tuple[str, ...]) -> tuple[str, ...]:
        """One tuple for all routes that have them."""
        if methods not in self._methods:
            self._methods[methods] = tuple(sorted(methods))
        return self._methods[methods]


def _passes_through(data: Mapping[str, Any]) -> bool:
    return bool(data.get("stream") or data.get("websocket"))


def _placed(node: Any, provenance: Provenance) -> Any:
    """The very same values at the route's own place."""
    copy = _new(type(node))
    _set(copy, "__dict__", node.__dict__)
    _place(copy, provenance)
    return copy


def _placed_headers(node: Headers, at: OfSection | OfOwnSection) -> Headers:
    return Headers(
        request=_placed(node.request, at.below("request")),
        response=_placed(node.response, at.below("response")),
        provenance=at,
    )


def _limit(limit: Limit, at: int, owner: str, written: Written, index: int) -> Limit:
    """The values of another one, but for the id."""
    copy = _new(Limit)
    for name, value in vars(limit).items():
        _set(copy, name, value)
    _set(copy, "id", f"{owner}/{at}")
    _place(copy, OfLimit(written, index, _path_of_limit(at)))
    return copy


_PATHS = {name: (name,) for name in (*ALONE, *BESIDE)}
_path_of_limit = lru_cache(maxsize=64)(lambda at: ("limits", at))
