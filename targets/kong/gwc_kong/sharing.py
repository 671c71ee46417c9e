"""Settings that many routes have in common: made, printed and judged once for all that are equal."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any, TypeVar

from gwc.ir import LimitKey, Node, Origin, Provenance, RetryCause
from gwc.units import Rate

_T = TypeVar("_T")


@dataclass(slots=True, eq=False)  # not frozen: to make a frozen one takes three times as long
class At:
    """`value`, and where all of its lines came from: the provenance and the field in it, sought when somebody asks."""

    value: Any
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

    `key` is all that is in `of` but where it was written. What follows from two with equal keys is the same.
    """

    __slots__ = ("_found", "key", "make", "of")

    def __init__(self, make: Callable[..., Mapping[str, object]], *of: object) -> None:
        self.make, self.of = make, of
        self.key = (make, *[value if type(value) in _PLAIN else _values(value) for value in of])
        found = _FOUND.get(self.key)
        self._found = _new(self.key) if found is None else found

    def known(self, purpose: Hashable, find: Callable[[Mapping[str, object]], _T]) -> _T:
        """What `find` finds of it: once for this purpose, which is to say for this `find`."""
        if purpose not in self._found:
            self._found[purpose] = find(self.made())
        found: _T = self._found[purpose]
        return found

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
        for piece in reversed(self.pieces):  # what is asked for by name is the last, which is not shared
            if name in piece:
                return piece[name]
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return (name for piece in self.pieces for name in piece)

    def __len__(self) -> int:
        return sum(map(len, self.pieces))


_Found = dict[Hashable, Any]
_FOUND: dict[tuple[object, ...], _Found] = {}
"""Of everything that is shared, as long as it is not too much."""
_MOST = 4096


def _new(key: tuple[object, ...]) -> _Found:
    if len(_FOUND) >= _MOST:
        _FOUND.clear()
    found = _FOUND[key] = {}
    return found


_PLAIN = frozenset({type, str, int, float, bool, type(None), LimitKey, RetryCause})


def _values(value: Any) -> object:
    """Everything in `value` but provenance, to compare by. Two nodes compare without it, too, but take their time."""
    kind = type(value)
    if kind in _READERS:
        return _READERS[kind](value)
    if kind is Shared:
        return value.key
    if kind is At:
        return _values(value.value)
    if kind is tuple:
        return value if value and type(value[0]) in _PLAIN else tuple(map(_values, value))
    if isinstance(value, Node):
        _READERS[kind] = _reader(value)
        return _READERS[kind](value)
    return value


def _reader(first: Node) -> Callable[[Any], object]:
    """Of the values of nodes that are like `first`."""
    read = attrgetter("__class__", *(one.name for one in fields(first) if one.name != "provenance"))
    if any(isinstance(one, Node | Rate) for one in read(first)):
        return lambda node: tuple([one if type(one) in _PLAIN else _values(one) for one in read(node)])
    return read


_READERS: dict[type, Callable[[Any], object]] = {Rate: attrgetter("tokens", "period")}
