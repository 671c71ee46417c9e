"""Settings that many routes have in common: made, printed and judged once for all that are equal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any, Generic, TypeVar

from gwc.ir import Node, Origin, Provenance

_T = TypeVar("_T")
_MOST = 4096


@dataclass(slots=True, eq=False)  # not frozen: to make a frozen one takes three times as long
class At:
    """`value`, and where all of its lines came from: the provenance and the field in it, sought when somebody asks."""

    value: object
    provenance: Provenance
    field: str

    @property
    def origin(self) -> Origin | None:
        return self.provenance.get(self.field)


def at(node: Node, field: str, value: object) -> At:
    """`value`, as it was written in `field` of the node."""
    return At(value, node.provenance, field)


def bare(value: object) -> object:
    """Without its marks."""
    while type(value) is At:
        value = value.value
    return value


class Shared(Mapping[str, object]):
    """What `make` makes of `of`, of which it looks at the values and at nothing else: `make` is a function of a module.

    `key` is all that is in `of` but where it was written: two with equal keys have the same text.
    """

    __slots__ = ("key", "make", "of")

    def __init__(self, make: Callable[..., Mapping[str, object]], *of: object) -> None:
        self.make, self.of = make, of
        self.key = (make, *map(values, of))

    def made(self) -> Mapping[str, object]:
        return self.make(*self.of)

    def __getitem__(self, name: str) -> object:
        return self.made()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.made())

    def __len__(self) -> int:
        return len(self.made())


class Record(Mapping[str, object]):
    """One mapping in several pieces, some of which may be shared; no two of them have a name in common."""

    __slots__ = ("pieces",)

    def __init__(self, *pieces: Mapping[str, object]) -> None:
        self.pieces = pieces

    def made(self) -> Mapping[str, object]:
        return {name: item for piece in self.pieces for name, item in piece.items()}

    def __getitem__(self, name: str) -> object:
        return next(piece[name] for piece in reversed(self.pieces) if name in piece)

    def __iter__(self) -> Iterator[str]:
        return (name for piece in self.pieces for name in piece)

    def __len__(self) -> int:
        return sum(map(len, self.pieces))


class Memory(Generic[_T]):
    """What `find` found of those that are shared, as long as they are not too many."""

    def __init__(self, find: Callable[[Mapping[str, object]], _T]) -> None:
        self._find = find
        self._found: dict[tuple[object, ...], _T] = {}

    def of(self, shared: Shared) -> _T:
        try:
            return self._found[shared.key]
        except KeyError:
            if len(self._found) >= _MOST:
                self._found.clear()
            found = self._found[shared.key] = self._find(shared.made())
            return found


def values(value: object) -> object:
    """Everything in `value` but provenance, to compare by."""
    return value if type(value) in _SCALARS else _within(value)


_SCALARS = frozenset({str, int, float, bool, type(None)})
_FIELDS: dict[type, Callable[[Any], Any]] = {}


def _within(value: object) -> object:
    if isinstance(value, At):
        return values(bare(value))
    if isinstance(value, Shared):
        return value.key
    if isinstance(value, tuple):
        return tuple(map(values, value))
    if isinstance(value, Node):
        kind = type(value)
        if kind not in _FIELDS:
            _FIELDS[kind] = attrgetter("__class__", *(one.name for one in fields(value) if one.name != "provenance"))
        return tuple(map(values, _FIELDS[kind](value)))
    return value
