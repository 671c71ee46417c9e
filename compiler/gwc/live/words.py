"""A place of a rendered configuration in the policy's words: which field decides it, of whom, and where that stands.

What decides a place is found by trying: each field of the Gateway gets another value, and where the place then looks
different, it is that field's. So no table has to know what any target makes of a field.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from gwc.diagnostics import Span
from gwc.diff.change import Subject
from gwc.ir import Gateway
from gwc.leaves import Leaf, changed, leaves, origin, spelled
from gwc.live.tree import ORDER, Kind, Place, Spot, Tree, at
from gwc.units import Rate

Render = Callable[[Gateway], Tree]
"""What the target makes of a Gateway, in the form of `gwc.live.tree`."""
MOST_TRACED = 200
"""Spots whose field is sought; a gateway that differs in more runs something else altogether."""
_NO_FIELDS = ("now", "targets", "environment", "services.owner", "services.description", "services.routes.description")
_NAMES = ("services.name", "services.routes.name", "limits.id", "services.limits.id", "services.routes.limits.id")


@dataclass(frozen=True, slots=True)
class Drift:
    """Spots that mean the same in the policy's words. `fields` is empty for what no policy decides."""

    kind: Kind
    subjects: tuple[Subject, ...]
    fields: tuple[str, ...]
    span: Span | None
    spots: tuple[Spot, ...]


def in_words(gateway: Gateway, spots: Sequence[Spot], render: Render) -> tuple[Drift, ...]:
    subjects = _subjects(gateway)
    unclear = (spot for spot in spots if spot.kind is not Kind.EXTRA and not _whole(spot, _named(spot.place, subjects)))
    deciding = _deciding(gateway, list(islice(unclear, MOST_TRACED)), render(gateway), render)
    return _merged(_drift(gateway, spot, deciding.get(spot.place, ()), subjects) for spot in spots)


def _merged(every: Iterable[Drift]) -> tuple[Drift, ...]:
    """One line of a policy is rendered in many places, and differs in all of them at once."""
    same: dict[tuple[object, ...], list[Drift]] = {}
    for drift in every:
        told = (drift.fields, drift.span) if drift.fields else (drift.subjects, drift.spots[0].place[-1])
        same.setdefault((drift.kind, *told), []).append(drift)
    return tuple(_joined(group) for group in same.values())


def _joined(group: list[Drift]) -> Drift:
    subjects = tuple(dict.fromkeys(subject for drift in group for subject in drift.subjects))
    exact = tuple(subject for subject in subjects if subject.service) or subjects
    return replace(group[0], subjects=exact, spots=tuple(spot for drift in group for spot in drift.spots))


Named = dict[str, list[Leaf]]
_TOGETHER = 16
"""Fields that are changed at once at first: most of them decide none of the places."""


def _deciding(gateway: Gateway, spots: Sequence[Spot], base: Tree, render: Render) -> dict[Place, tuple[Leaf, ...]]:
    """For each place one leaf of each field that decides it."""
    before = {spot.place: at(base, spot.place) for spot in spots}
    found: dict[Place, list[Leaf]] = {place: [] for place in before}
    fields = list(_fields(gateway).values()) if spots else []
    for start in range(0, len(fields), _TOGETHER):
        _search(gateway, fields[start : start + _TOGETHER], before, found, render)
    return {place: tuple(ones) for place, ones in found.items()}


def _search(
    gateway: Gateway,
    fields: list[list[Leaf]],
    before: dict[Place, object],
    found: dict[Place, list[Leaf]],
    render: Render,
) -> None:
    """Halves the fields for as long as they decide one of the places."""
    decided = _decided(gateway, [leaf for same in fields for leaf in same], before, render)
    if decided and len(fields) > 1:
        _search(gateway, fields[: len(fields) // 2], decided, found, render)
        _search(gateway, fields[len(fields) // 2 :], decided, found, render)
    elif decided:
        for place, leaf in _of_one_field(gateway, fields[0], decided, render):
            found[place].append(leaf)


def _decided(gateway: Gateway, some: list[Leaf], before: dict[Place, object], render: Render) -> dict[Place, object]:
    """The places that look different when these leaves have other values.

    No target has to render what no policy can say: such values are told apart, and one alone says nothing.
    """
    try:
        tree = render(_all_changed(gateway, some))
    except ValueError:
        return before if len({leaf.name for leaf in some}) > 1 else {}
    return {place: was for place, was in before.items() if at(tree, place) != was}


def _fields(gateway: Gateway) -> Named:
    """Leaves that have a value, by the field that they are one of."""
    named: Named = {}
    for leaf in leaves(gateway):
        if leaf.value not in (None, ()) and leaf.name not in (*_NO_FIELDS, *_NAMES):
            named.setdefault(leaf.name, []).append(leaf)
    return named


def _all_changed(gateway: Gateway, some: Iterable[Leaf]) -> Gateway:
    for leaf in some:
        gateway = changed(gateway, leaf, whole=True)
    return gateway


def _of_one_field(
    gateway: Gateway, some: list[Leaf], before: dict[Place, object], render: Render
) -> Iterator[tuple[Place, Leaf]]:
    """One deciding leaf a place: first of those whom the place names."""
    left = dict(before)
    for near in _by_route(gateway, some).values() if len(some) > 1 else ():
        named = {place: was for place, was in left.items() if _names(gateway, near[0], place)}
        if named:
            decided = _decided(gateway, near, named, render)
            yield from _by_halves(gateway, near, decided, render)
            left = {place: was for place, was in left.items() if place not in decided}
    yield from _by_halves(gateway, some, left, render)


def _by_halves(
    gateway: Gateway, some: list[Leaf], before: dict[Place, object], render: Render
) -> Iterator[tuple[Place, Leaf]]:
    if len(some) == 1 or not before:
        yield from ((place, some[0]) for place in before)
        return
    half, rest = some[: len(some) // 2], some[len(some) // 2 :]
    decided = _decided(gateway, half, before, render)
    yield from _by_halves(gateway, half, decided, render)
    yield from _by_halves(gateway, rest, {p: was for p, was in before.items() if p not in decided}, render)


def _by_route(gateway: Gateway, some: list[Leaf]) -> dict[tuple[str | None, str | None], list[Leaf]]:
    grouped: dict[tuple[str | None, str | None], list[Leaf]] = {}
    for leaf in some:
        if (owner := _owner_of(gateway, leaf.path))[1] is not None:
            grouped.setdefault(owner, []).append(leaf)
    return grouped


def _names(gateway: Gateway, leaf: Leaf, place: Place) -> bool:
    service, route = _owner_of(gateway, leaf.path)
    return route is not None and any(_mentions(step, service or "", route) for step in place)


def _owner_of(gateway: Gateway, path: tuple[str | int, ...]) -> tuple[str | None, str | None]:
    if path[0] != "services" or not isinstance(path[1], int):
        return None, None
    service = gateway.services[path[1]]
    route = service.routes[path[3]].name if path[2] == "routes" and isinstance(path[3], int) else None
    return service.name, route


def _mentions(step: str, service: str, route: str | None) -> bool:
    """`shop/items`, `shop.items`, or `shop` alone, and not as a part of other names."""
    word = re.escape(service) if route is None else rf"{re.escape(service)}[/.]{re.escape(route)}"
    return re.search(rf"(?<![\w-]){word}(?![\w-])", step) is not None


@dataclass(frozen=True, slots=True)
class _Known:
    subject: Subject
    span: Span | None


def _subjects(gateway: Gateway) -> list[_Known]:
    """Routes before services: the more exact name counts."""
    known = []
    for service in gateway.services:
        for route in service.routes:
            span = route.provenance["path"].span if "path" in route.provenance else None
            known.append(_Known(Subject(service.name, route.name, service.owner), span))
    for service in gateway.services:
        span = service.provenance["name"].span if "name" in service.provenance else None
        known.append(_Known(Subject(service.name, "", service.owner), span))
    return known


_PLATFORM = _Known(Subject("", "", ""), None)


def _drift(gateway: Gateway, spot: Spot, deciding: tuple[Leaf, ...], subjects: list[_Known]) -> Drift:
    known = _named(spot.place, subjects)
    own = [leaf for leaf in deciding if known is not _PLATFORM and _about(gateway, leaf, known.subject)]
    telling = _of_its_kind(spot, tuple(own) or deciding)
    if known is _PLATFORM and telling:
        known = _of_leaf(gateway, telling, subjects)
    field, span = _whole(spot, known) or (tuple(dict.fromkeys(spelled(leaf.name) for leaf in telling)), None)
    where = next((one.span for leaf in telling if (one := origin(gateway, leaf))), None)
    return Drift(spot.kind, (known.subject,), field, span or where or known.span, (spot,))


_NUMBER = re.compile(r"-?\d+(\.\d+)?(ms|s)?")


def _of_its_kind(spot: Spot, telling: tuple[Leaf, ...]) -> tuple[Leaf, ...]:
    """Another number is decided by a field with a number, not by those that would put something else there."""
    if not all(_NUMBER.fullmatch(str(value)) for value in (spot.wanted, spot.found)):
        return telling
    numbers = tuple(leaf for leaf in telling if isinstance(leaf.value, Rate | int | float))
    return tuple(leaf for leaf in numbers if not isinstance(leaf.value, bool)) or telling


def _named(place: Place, subjects: list[_Known]) -> _Known:
    for step in reversed(place):
        for known in subjects:
            if _mentions(step, known.subject.service, known.subject.route or None):
                return known
    return _PLATFORM


def _about(gateway: Gateway, leaf: Leaf, subject: Subject) -> bool:
    service, route = _owner_of(gateway, leaf.path)
    return service == subject.service and (route or "") == subject.route


def _of_leaf(gateway: Gateway, deciding: tuple[Leaf, ...], subjects: list[_Known]) -> _Known:
    """Whom the place belongs to, where all that decides it is of one owner."""
    owners = {_owner_of(gateway, leaf.path) for leaf in deciding}
    service, route = next(iter(owners)) if len(owners) == 1 else (None, None)
    wanted = (service or "", route or "")
    return next((one for one in subjects if (one.subject.service, one.subject.route) == wanted), _PLATFORM)


def _whole(spot: Spot, known: _Known) -> tuple[tuple[str, ...], Span | None] | None:
    """A branch that is the route's own is the whole of it, not each of its fields."""
    last = spot.place[-1]
    if spot.kind is Kind.CHANGED or last == ORDER or not known.subject.route:
        return None
    if _mentions(last, known.subject.service, known.subject.route) and not isinstance(spot.wanted, str):
        return ("route",), known.span
    return None
