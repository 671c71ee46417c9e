"""Which lines of a rendered configuration implement a value.

Found by trying, as `gwc.live.words` does: the value gets another one, everything is rendered again, and the lines that
come out different are the value's. No table has to know what a target makes of a field, and no text is searched.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

from gwc.ir import Gateway
from gwc.leaves import Leaf, changed

Texts = Mapping[str, str]
Render = Callable[[Gateway], Texts]
"""The files of a target by their names."""


@dataclass(frozen=True, slots=True, order=True)
class Line:
    """`number` counts from 1. What the value decides of the line is `begin` to `end`, in characters from 0."""

    file: str
    number: int
    begin: int
    end: int


def without_route(gateway: Gateway, service: str, route: str) -> Gateway:
    """The same gateway without that route, and without the service when it has no other."""
    services = []
    for one in gateway.services:
        routes = tuple(r for r in one.routes if (one.name, r.name) != (service, route))
        services += [replace(one, routes=routes)] if routes else []
    return replace(gateway, services=tuple(services))


class Tracing:
    """Renders a Gateway once, and once more for each value that is asked about."""

    def __init__(self, gateway: Gateway, render: Render, without: Gateway) -> None:
        """`without` is the same gateway without the route that is asked about: what it lacks is the route's own."""
        self._gateway, self._render = gateway, render
        self.files = render(gateway)
        self._own = {(line.file, line.number) for line in self._lines(render(without))}

    def lines(self, some: Sequence[Leaf]) -> tuple[Line, ...] | None:
        """The lines that these leaves decide, the route's own first.

        None when the target cannot tell, because nobody could write such a value.
        """
        gateway = self._gateway
        for leaf in some:
            gateway = changed(gateway, leaf, whole=True)
        try:
            other = self._render(gateway)
        except ValueError:
            return None
        return tuple(sorted(self._lines(other), key=lambda line: ((line.file, line.number) not in self._own, line)))

    def _lines(self, other: Texts) -> Iterator[Line]:
        for name in sorted(self.files):
            yield from self._changed(name, other.get(name, ""))

    def _changed(self, name: str, other: str) -> Iterator[Line]:
        if self.files[name] != other:
            for number, begin, end in different(self.files[name].splitlines(), other.splitlines()):
                yield Line(name, number, begin, end)


def different(old: Sequence[str], new: Sequence[str]) -> Iterator[tuple[int, int, int]]:
    """The lines of `old` that `new` does not have: number from 1, and what of it is different."""
    head = _common(old, new)
    tail = _common(old[head:][::-1], new[head:][::-1])
    before, after = old[head : len(old) - tail], new[head : len(new) - tail]
    if len(before) == len(after):
        yield from _paired(before, after, head)
        return
    for kind, i, j, k, m in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if kind == "replace" and j - i == m - k:
            yield from _paired(before[i:j], after[k:m], head + i)
        elif kind in ("replace", "delete"):
            yield from ((head + i + n + 1, *_whole(line)) for n, line in enumerate(before[i:j]))


def _paired(before: Sequence[str], after: Sequence[str], first: int) -> Iterator[tuple[int, int, int]]:
    for number, (one, other) in enumerate(zip(before, after, strict=True), first + 1):
        if one != other:
            begin = _common(one, other)
            end = len(one) - _common(one[begin:][::-1], other[begin:][::-1])
            yield number, *_words(one, begin, max(end, begin))


_INSIDE = re.compile(r"[\w.]")


def _words(line: str, begin: int, end: int) -> tuple[int, int]:
    """Whole words: of `15s` and `16s` not the one letter alone is different."""
    while begin > 0 and _INSIDE.match(line[begin - 1]):
        begin -= 1
    while end < len(line) and _INSIDE.match(line[end]):
        end += 1
    return begin, end


def _whole(line: str) -> tuple[int, int]:
    return len(line) - len(line.lstrip()), len(line)


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """How many members at the start are the same."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((n for n, (a, b) in pairs if a != b), min(len(one), len(other)))
