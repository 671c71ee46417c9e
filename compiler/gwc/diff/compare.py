"""Two Gateways -> what changed for clients, the gravest first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from gwc.diff import platform, routes, services
from gwc.diff.change import Change, Difference, Level, Subject, Value
from gwc.diff.surface import Answered, Asked, answered
from gwc.ir import Gateway, Origin, Route, Service
from gwc.ir import Level as Written
from gwc.routing import MethodRoute

_ORDER = {level: index for index, level in enumerate(Level)}
Pair = tuple[Service, Route, Service, Route]


def diff(old: Gateway, new: Gateway) -> tuple[Change, ...]:
    """Sorted: by level, then by what is concerned."""
    return _merged(_differences(old, new))


Found = tuple[Subject, Difference]


def _differences(old: Gateway, new: Gateway) -> Iterator[Found]:
    yield from ((Subject("", "", ""), found) for found in platform.platform(old, new))
    served = _served(answered(old, new))
    yield from _gone_and_come(served)
    renamed = _service_pairs(old, new, served.pairs)
    for before, after in renamed:
        if before is not after:  # one service, taken over from side to side
            yield from _service(before, after)
    together = {(before.name, after.name) for before, after in renamed}
    for pair in served.pairs.values():
        if pair[1] is pair[3] and pair[0].name == pair[2].name:
            continue  # one route, taken over from side to side
        yield from _route(pair, moved=(pair[0].name, pair[2].name) not in together)


@dataclass(slots=True)
class _Served:
    """Who answered and who answers; requests that nobody answers any more, and new ones."""

    pairs: dict[tuple[str, str, str, str], Pair] = field(default_factory=dict)
    lost: list[tuple[MethodRoute, Asked]] = field(default_factory=list)
    won: list[tuple[MethodRoute, Asked]] = field(default_factory=list)


def _served(every: Iterator[Answered]) -> _Served:
    served = _Served()
    for one in every:
        if one.old and one.new:
            names = (one.old.service.name, one.old.route.name, one.new.service.name, one.new.route.name)
            served.pairs[names] = (one.old.service, one.old.route, one.new.service, one.new.route)
        elif one.old:
            served.lost.append((one.old, one.asked))
        elif one.new:
            served.won.append((one.new, one.asked))
    return served


def _gone_and_come(served: _Served) -> Iterator[Found]:
    for found, level in ((served.lost, Level.BREAKING), (served.won, Level.ADDED)):
        asked: dict[tuple[str, str], list[tuple[MethodRoute, Asked]]] = {}
        for route, one in found:
            asked.setdefault((route.service.name, route.route.name), []).append((route, one))
        for same in asked.values():
            yield _whole(same, level)


def _whole(same: Sequence[tuple[MethodRoute, Asked]], level: Level) -> Found:
    route = same[0][0]
    hosts = sorted({asked.host or "" for _, asked in same})
    methods = ", ".join(sorted({asked.method for _, asked in same}))
    where = "" if hosts == [""] else f" on {', '.join(host or 'other hosts' for host in hosts)}"
    value = Value(f"{methods} {same[0][1].path.text}{where}", route.route.provenance["path"])
    gone = level is Level.BREAKING
    note = "no longer served" if gone else "new"
    subject = Subject(route.service.name, route.route.name, route.service.owner)
    return subject, Difference(level, "route", value if gone else None, None if gone else value, note)


def _service_pairs(
    old: Gateway, new: Gateway, pairs: dict[tuple[str, str, str, str], Pair]
) -> list[tuple[Service, Service]]:
    """By name; a service whose name is gone became the one that answers most of its requests, if that name is new."""
    before, after = ({service.name: service for service in gateway.services} for gateway in (old, new))
    found = [(before[name], after[name]) for name in before if name in after]
    heirs = Counter((o.name, n.name) for o, _, n, _ in pairs.values() if o.name not in after and n.name not in before)
    taken: set[str] = set()
    for (was, now), _ in heirs.most_common():
        if not {was, now} & taken:
            taken |= {was, now}
            found.append((before[was], after[now]))
    return found


def _service(old: Service, new: Service) -> Iterator[Found]:
    subject = Subject(new.name, "", new.owner)
    if old.name != new.name:
        yield subject, _renamed("service", old.name, new.name, old.provenance["name"], new.provenance["name"])
    yield from ((subject, found) for found in services.service(old, new))


def _route(pair: Pair, *, moved: bool) -> Iterator[Found]:
    """A route that moved to another service also gets that one's limits, budget and upstream."""
    before, old, after, new = pair
    subject = Subject(after.name, new.name, after.owner)
    if moved:
        at = before.provenance["name"], after.provenance["name"]
        yield subject, _renamed("service", before.name, after.name, *at)
        kept = (found for found in services.service(before, after) if found.field not in ("owner", "description"))
        yield from ((subject, found) for found in kept)
    if old.name != new.name:
        yield subject, _renamed("name", old.name, new.name, old.provenance["name"], new.provenance["name"])
    yield from ((subject, found) for found in routes.route(old, new))


def _renamed(what: str, old: str, new: str, was: Origin, now: Origin) -> Difference:
    return Difference(Level.NEUTRAL, what, Value(old, was), Value(new, now), "renamed")


def _merged(found: Iterator[Found]) -> tuple[Change, ...]:
    """A line that many inherit changes once, for all of them."""
    same: dict[tuple[object, ...], list[Found]] = {}
    for subject, one in found:
        key = (one.level, one.field, one.note, _place(one.old), _place(one.new))
        same.setdefault(key, []).append((subject, one))
    changes = (_change([s for s, _ in group], group[0][1]) for group in same.values())
    return tuple(sorted(changes, key=_rank))


def _place(value: Value | None) -> tuple[object, ...]:
    return (value.text, value.origin.span) if value else ()


def _change(subjects: list[Subject], found: Difference) -> Change:
    there = found.new or found.old
    inherited = there is not None and there.origin.level is Written.PLATFORM and bool(subjects[0].service)
    return Change(
        found.level,
        found.field,
        found.old.text if found.old else None,
        found.new.text if found.new else None,
        found.old.origin.span if found.old else None,
        found.new.origin.span if found.new else None,
        found.note,
        inherited,
        tuple(sorted(dict.fromkeys(subjects), key=lambda s: (s.service, s.route))),
    )


def _rank(change: Change) -> tuple[object, ...]:
    return _ORDER[change.level], str(change.subjects[0]), change.field, change.old or "", change.new or ""
