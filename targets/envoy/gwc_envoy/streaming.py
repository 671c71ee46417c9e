"""A document in pieces: as `printing` prints it, and what follows from one service a part of its own.

Whatever holds Rows has more than fits on a line, and so stands on several.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import chain
from typing import Any

from gwc.ir import Gateway
from gwc.parts import Made, Part, Piece, alone
from gwc_envoy.alike import Alike, sheet
from gwc_envoy.faults import Judge
from gwc_envoy.printing import WIDTH, lead_of, printed, width
from gwc_envoy.rows import Listed, Rows, Run, holds_rows
from gwc_envoy.shared import Shared
from gwc_envoy.xds import Json

_CHUNK = 1 << 16
"""Characters that are handed on together, at least."""


def pieces(gateway: Gateway, document: Json) -> Iterator[Piece]:
    """Those of `document`, whose Runs are made from the platform of `gateway`."""
    held, at = _Held(), _At("", "", "")
    if holds_rows(document):
        yield from _value(gateway, document, at, held)
    else:
        held.add(at.text(document))
    yield held.taken()


class _Held:
    """Text between two parts, which is handed on together: what is found deep inside need not pass all that is around
    it line by line."""

    def __init__(self) -> None:
        self._texts, self.length, self._fit = list[str](), 0, True

    def add(self, text: str, fit: bool = True) -> None:
        self._texts.append(text)
        self.length += len(text)
        self._fit = self._fit and fit

    def taken(self) -> Made:
        taken = Made("".join(self._texts), self._fit)
        self._texts, self.length, self._fit = [], 0, True
        return taken


@dataclass(frozen=True, slots=True)
class _At:
    """Where a value stands: its indent, what is before it on its line, and what behind it."""

    pad: str
    lead: str
    tail: str

    def text(self, node: Any) -> str:
        return f"{self.pad}{self.lead}{printed(node, self.pad)}{self.tail}\n"

    def opened(self, bracket: str) -> str:
        return f"{self.pad}{self.lead}{bracket}\n"

    def closed(self, bracket: str) -> str:
        return f"{self.pad}{bracket}{self.tail}\n"

    def within(self, lead: str, last: bool) -> _At:
        return _At(f"{self.pad} ", lead, "" if last else ",")


def _value(gateway: Gateway, node: Any, at: _At, held: _Held) -> Iterator[Piece]:
    """Of a node that holds Rows, or is Rows."""
    if type(node) is Rows:
        yield from _rows(gateway, node, at, held)
    elif type(node) is Listed:
        before, within, behind = _frame(node.make, at.pad, at.tail)
        name = json.dumps(node.name)
        held.add(f"{at.pad}{at.lead}{before.replace(_HOLE, name)}")
        yield from _rows(gateway, node.rows, within, held)
        held.add(behind.replace(_HOLE, name))
    else:
        entries, (opening, closing) = _entries(node)
        held.add(at.opened(opening))
        for (lead, value), last in _ended(entries):
            where = at.within(lead, last)
            if holds_rows(value):
                yield from _value(gateway, value, where, held)
            else:
                held.add(where.text(value))
        held.add(at.closed(closing))


def _entries(node: Any) -> tuple[Iterator[tuple[str, Any]], tuple[str, str]]:
    """What an object or a list holds, each with what stands before it on its line; and its brackets."""
    if type(node) is dict:
        return ((lead_of(key), value) for key, value in node.items()), ("{", "}")
    return (("", value) for value in node), ("[", "]")


_NAME = "\0"
_HOLE = json.dumps(_NAME)


@lru_cache(maxsize=64)
def _frame(make: Callable[[str, Any], Json], pad: str, tail: str) -> tuple[str, _At, str]:
    """What stands around the Rows of a Listed: before them, less its own indent and lead, and behind them."""
    node: Any = make(_NAME, Rows("", tuple))
    at, sides = _At(pad, "", tail), ("", "")
    while type(node) is not Rows:
        node, at, sides = _inwards(node, at, sides)
    return sides[0].removeprefix(pad), at, sides[1]


def _inwards(node: Any, at: _At, around: tuple[str, str]) -> tuple[Any, _At, tuple[str, str]]:
    """The one thing in `node` that holds Rows, where it stands, and what is around it then."""
    entries, (opening, closing) = _entries(node)
    texts, inner, found = ([around[0] + at.opened(opening)], list[str]()), at, None
    for (lead, value), last in _ended(entries):
        where = at.within(lead, last)
        if holds_rows(value):
            found, inner = value, where
        else:
            assert value == _NAME or _HOLE not in where.text(value), "its length would decide about lines"
            texts[found is not None].append(where.text(value))
    return found, inner, ("".join(texts[0]), "".join(texts[1]) + at.closed(closing) + around[1])


def _rows(gateway: Gateway, rows: Rows, at: _At, held: _Held) -> Iterator[Piece]:
    entries = iter(rows.entries())
    first, short = _beginning(entries)
    if short:
        held.add(at.text(first), all(map(rows.judge.fits, first)))
        return
    held.add(at.opened("["))
    numbers = Counter[str]()
    for entry, last in _ended(chain(first, entries)):
        where = at.within("", last)
        if type(entry) is Run:
            name = entry.service.name
            if held.length:
                yield held.taken()
            yield _part(gateway, rows, entry, f"{rows.name}/{numbers[name]}", where)
            numbers[name] += 1
        else:
            yield from _entry(gateway, rows, entry, where, held)
    held.add(at.closed("]"))


def _entry(gateway: Gateway, rows: Rows, entry: Any, at: _At, held: _Held) -> Iterator[Piece]:
    if holds_rows(entry):
        held.add("", rows.judge.fits(entry))
        yield from _value(gateway, entry, at, held)
    elif type(entry) is Shared:
        held.add(*_told(entry, at, rows.judge))
    else:
        held.add(at.text(entry), rows.judge.fits(entry))
    if held.length > _CHUNK:
        yield held.taken()


_Known = tuple[Shared, str, bool]
_TOLD: dict[tuple[int, _At, Judge], _Known] = {}
_MOST = 256


def _told(entry: Shared, at: _At, judge: Judge) -> tuple[str, bool]:
    """The text and fitness of an entry that many lists have. It is known by its identity, and held for as long."""
    key = (id(entry), at, judge)
    if (known := _TOLD.get(key)) is None:
        if len(_TOLD) >= _MOST:
            _TOLD.clear()
        known = _TOLD[key] = (entry, at.text(entry), judge.fits(entry))
    return known[1:]


def _beginning(entries: Iterator[Json | Run]) -> tuple[list[Any], bool]:
    """The first entries, and whether they are all and fit on a line."""
    first, taken = list[Any](), 0
    for entry in entries:
        first.append(entry)
        taken += WIDTH + 1 if type(entry) is Run or holds_rows(entry) else width([entry])
        if taken > WIDTH:
            return first, False
    return first, True


def _part(gateway: Gateway, rows: Rows, run: Run, name: str, at: _At) -> Part:
    """Told in full: which function makes it, from what, how it is judged, and where it stands."""
    given = repr((run.make.__module__, run.make.__qualname__, run.given, rows.judge, len(at.pad), at.tail))
    return Part(run.service.name, name, partial(_made, gateway, run, rows.judge, at), given)


def _made(gateway: Gateway, run: Run, judge: Judge, at: _At) -> Made:
    found = run.make(alone(gateway, run.service), *run.given)
    made = [_alike(one, judge, at.pad) if type(one) is Alike else _one(one, judge, at.pad) for one in found]
    return Made(_BETWEEN.join([one.text for one in made]) + at.tail + "\n", all(one.fit for one in made))


_BETWEEN = ",\n"


def _one(entry: Json, judge: Judge, pad: str) -> Made:
    return Made(f"{pad}{printed(entry, pad)}", judge.fits(entry))


def _alike(alike: Alike, judge: Judge, pad: str) -> Made:
    def made(entries: Iterable[Json]) -> Made:
        found = [_one(entry, judge, pad) for entry in entries]
        return Made(_BETWEEN.join([one.text for one in found]), all(one.fit for one in found))

    words = alike.key, alike.words
    return sheet(judge, pad).text(*words, lambda others: made(alike.make(others)), lambda: made(alike.plainly()))


def _ended(entries: Iterable[Any]) -> Iterator[tuple[Any, bool]]:
    """Each with whether it is the last."""
    end, rest = object(), iter(entries)
    now = next(rest, end)
    while now is not end:
        following = next(rest, end)
        yield now, following is end
        now = following
