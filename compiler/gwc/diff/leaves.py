"""The ways in which two values of one field compare."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from gwc.diff.change import Difference, Level, Value
from gwc.diff.order import compared
from gwc.ir import Node, Origin

Show = Callable[[Any], str]
Differences = Iterator[Difference]


class At:
    """Who wrote a leaf of the old node, and of the new one. To find that takes longer than to compare them, so it is
    looked for when somebody asks."""

    __slots__ = ("_leaf", "_nodes")

    def __init__(self, old: Node, new: Node, leaf: str) -> None:
        self._nodes, self._leaf = (old, new), leaf

    def __getitem__(self, side: int) -> Origin:
        return self._nodes[side].provenance[self._leaf]

    def __iter__(self) -> Iterator[Origin]:
        return (node.provenance[self._leaf] for node in self._nodes)


def ordered(field: str, old: Node, new: Node, leaf: str, show: Show = str) -> Differences:
    """A number whose order the model declares; None is no bound."""
    before, after = getattr(old, leaf), getattr(new, leaf)
    if before != after:
        level = compared(field, before, after)
        yield Difference(level, field, _shown(before, old, leaf, show), _shown(after, new, leaf, show))


def plain(field: str, old: Node, new: Node, leaf: str, level: Level, show: Show = str) -> Differences:
    """A field whose change means the same in both directions."""
    before, after = getattr(old, leaf), getattr(new, leaf)
    if before != after:
        yield Difference(level, field, _shown(before, old, leaf, show), _shown(after, new, leaf, show))


def switch(field: str, old: Node, new: Node, leaf: str, on: Level, off: Level) -> Differences:
    """A field that is true or false."""
    before, after = getattr(old, leaf), getattr(new, leaf)
    if before != after:
        yield Difference(on if after else off, field, _shown(before, old, leaf, _word), _shown(after, new, leaf, _word))


def members(field: str, old: Node, new: Node, leaf: str, gone: Level, come: Level, what: str = "") -> Differences:
    """A set: each member that was taken away or added is a difference of its own."""
    before, after = getattr(old, leaf), getattr(new, leaf)
    origins = At(old, new, leaf)
    yield from several(field, before, after, origins, gone, come, what)


def several(
    field: str,
    before: Iterable[object],
    after: Iterable[object],
    origins: At,
    gone: Level,
    come: Level,
    what: str = "",
) -> Differences:
    was, now = {str(one) for one in before}, {str(one) for one in after}
    lost, won = sorted(was - now), sorted(now - was)
    if lost:
        text = ", ".join(lost)
        yield Difference(gone, field, Value(text, origins[0]), None, f"{what} taken away".strip())
    if won:
        yield Difference(come, field, None, Value(", ".join(won), origins[1]), f"{what} added".strip())


def appears(field: str, old: object, new: object, at: At, come: Level, gone: Level, text: str) -> Differences:
    """A whole section that is there in one of the two only; `text` is what it says."""
    if (old is None) != (new is None):
        there, level = (at[1], come) if old is None else (at[0], gone)
        value = Value(text, there)
        yield Difference(level, field, None if old is None else value, value if old is None else None)


def _shown(value: object, node: Node, leaf: str, show: Show) -> Value | None:
    return None if value is None else Value(show(value), node.provenance[leaf])


def _word(value: bool) -> str:
    return "true" if value else "false"


def words(values: Iterable[object]) -> str:
    """A list as a policy writes it."""
    return f"[{', '.join(str(value) for value in values)}]"
