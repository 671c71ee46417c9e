"""Routes whose policies say what was settled before: what a section comes to follows from what its levels say of it.

A little of the route belongs to it, and together they are its key here. Where all of it was written does not follow,
and is settled for whoever asks (`gwc.resolve.written`). A route with a fault is never kept: each that has the fault is
reported.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from gwc.ir import Headers, Limit, LimitKey, Node, PathTemplate, Provenance, Route, Shared
from gwc.resolve.written import RoutePlace, Written

if TYPE_CHECKING:
    from gwc.policy.service import RoutePolicy

ALONE = ("auth", "timeouts", "retries", "max_body", "headers")
"""Sections that follow from their own levels, whatever else a route says."""
BESIDE = ("cors", "cache")
"""And those that look at a route's methods and credentials, too."""
_SECTIONS = (*ALONE, *BESIDE)
_RESPONSE = ("headers", "response")
_Table = dict[object, Any]
_new, _set, _place = object.__new__, object.__setattr__, Node.placed.__set__  # type: ignore[union-attr]


class _Said:
    """What a route's data say of each section, in short; `passes` where it is a stream or a websocket. It holds the
    data, so that no others are taken for them."""

    __slots__ = ("data", "keys", "limits", "own", "passes")

    def __init__(self, data: Mapping[str, Any], number: Callable[[object], int]) -> None:
        self.data, self.passes, self.limits = data, _passes_through(data), repr(data.get("limits"))
        own = [data.get(name) for name in _SECTIONS]
        self.own = frozenset(name for name, said in zip(_SECTIONS, own, strict=True) if said is not None)
        words = [None if said is None else repr(said) for said in own]
        beside = (*data["methods"], words[0])
        alone = len(ALONE)
        self.keys = [number(word) for word in words[:alone]] + [number((beside, word)) for word in words[alone:]]


class Memory:
    """Of all services of one gateway, whose platform says the same to each of them."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, ...], _Table] = {}
        self._limits: dict[str, tuple[Limit, ...]] = {"None": ()}
        self._methods: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._said: dict[int, _Said] = {}
        self._numbers: dict[object, int] = {}
        self._own: dict[frozenset[str], frozenset[str]] = {}
        self._above: dict[tuple[int, ...], tuple[list[Any], list[_Table]]] = {}
        self._of: object = None
        self._tables: list[_Table] = []

    def _enter(self, service: Mapping[str, Any]) -> None:
        """From now on sections come below those of `service`. Each has a table, by what a route says of it."""
        self._of = service
        said = [service.get(name) for name in _SECTIONS]
        which = tuple(map(id, said))
        if which not in self._above:
            words = {name: repr(one) for name, one in zip(_SECTIONS, said, strict=True)}
            keys = [*((name, words[name]) for name in ALONE), *((name, words[name], words["auth"]) for name in BESIDE)]
            self._above[which] = said, [self._kept.setdefault(key, {}) for key in keys]
        self._tables = self._above[which][1]

    def _heard(self, data: Mapping[str, Any]) -> _Said:
        """Many services share the data of a route that says the same: what they say is found out once."""
        if (said := self._said.get(id(data))) is None:
            said = self._said[id(data)] = _Said(data, self._number)
            said.own = self._own.setdefault(said.own, said.own)
        return said

    def _number(self, word: object) -> int:
        """Of words, short and quick to find."""
        return self._numbers.setdefault(word, len(self._numbers))

    def keep(self, service: Mapping[str, Any], data: Mapping[str, Any], route: Route) -> None:
        """`route` is what `data` come to, below `service`."""
        said = self._heard(data)
        if not said.passes:
            if self._of is not service:
                self._enter(service)
            for name, table, key in zip(_SECTIONS, self._tables, said.keys, strict=True):
                table.setdefault(key, getattr(route, name))
            self._limits[said.limits] = route.limits

    def known(
        self, service: Mapping[str, Any], index: int, policy: RoutePolicy, path: PathTemplate, written: Written
    ) -> Route | None:
        """The service's route at `index`, where all that it comes to was seen before. `path` is its whole path."""
        data = service["routes"][index]
        said = self._said.get(id(data)) or self._heard(data)
        if said.passes or (limits := self._limits.get(said.limits)) is None:
            return None
        if self._of is not service:
            self._enter(service)
        try:
            found = [table[key] for table, key in zip(self._tables, said.keys)]  # noqa: B905  as many as sections
        except KeyError:
            return None
        if limits and found[0] is None and any(limit.key is LimitKey.USER for limit in limits):
            return None  # a fault of the two together
        return self._route(service, policy, path, found, limits, RoutePlace(written, index, said.own))

    def _route(
        self,
        service: Mapping[str, Any],
        policy: RoutePolicy,
        path: PathTemplate,
        found: list[Any],
        limits: tuple[Limit, ...],
        place: RoutePlace,
    ) -> Route:
        auth, timeouts, retries, max_body, headers, cors, cache = found
        route = _new(Route)  # its values one by one: a dict of them takes more memory
        _place(route, place)
        _set(route, "name", policy.name)
        _set(route, "description", policy.description)
        _set(route, "path", path)
        _set(route, "methods", self._sorted(policy.methods))
        _set(route, "auth", auth and _placed(auth, place))
        _set(route, "timeouts", _placed(timeouts, place))
        _set(route, "retries", _placed(retries, place))
        _set(route, "limits", _placed_limits(limits, f"route/{service['service']}/{policy.name}", place))
        _set(route, "cost", 1 if policy.cost is None else policy.cost)
        _set(route, "max_body", max_body)
        _set(route, "cors", cors and _placed(cors, place))
        _set(route, "headers", _placed_headers(headers, place))
        _set(route, "cache", cache and _placed(cache, place))
        _set(route, "stream", False)
        _set(route, "websocket", False)
        return route

    def _sorted(self, methods: tuple[str, ...]) -> tuple[str, ...]:
        """One tuple for all routes that have them."""
        if methods not in self._methods:
            self._methods[methods] = tuple(sorted(methods))
        return self._methods[methods]


def _passes_through(data: Mapping[str, Any]) -> bool:
    return bool(data.get("stream") or data.get("websocket"))


def _placed(node: Any, place: Provenance | Shared) -> Any:
    """The very same values at the route's own place."""
    copy = _new(type(node))
    _set(copy, "__dict__", node.__dict__)
    _place(copy, place)
    return copy


def _placed_headers(node: Headers, place: RoutePlace) -> Headers:
    copy = _new(Headers)
    _set(copy, "request", _placed(node.request, place))
    _set(copy, "response", _placed(node.response, place.section(_RESPONSE)))
    _place(copy, place)
    return copy


def _placed_limits(limits: tuple[Limit, ...], owner: str, place: RoutePlace) -> tuple[Limit, ...]:
    return tuple([_limit(one, f"{owner}/{at}", place) for at, one in enumerate(limits)]) if limits else ()


def _limit(limit: Limit, name: str, place: RoutePlace) -> Limit:
    """The values of another one, but for the id."""
    copy = _new(Limit)
    for leaf, value in vars(limit).items():
        _set(copy, leaf, value)
    _set(copy, "id", name)
    _place(copy, place)
    return copy
