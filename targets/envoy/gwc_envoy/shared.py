"""Messages that many routes and clusters have alike: made once for the values that they follow from, printed once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from operator import is_not
from typing import Any, NoReturn, TypeVar, TypeVarTuple, cast

_Values = TypeVarTuple("_Values")
_Nodes = TypeVar("_Nodes", bound=tuple[object, ...])
_T = TypeVar("_T")

_KEPT = 512
"""Messages of each kind that are kept, the least recently used given up first: what services share is among them."""


class Shared(dict[str, Any]):
    """A message that nobody changes. `printed` is for `printing` alone: its text and width by its indent."""

    __slots__ = ("printed",)

    def __init__(self, message: dict[str, Any]) -> None:
        super().__init__(message)
        self.printed: dict[str, tuple[str, int]] = {}

    def __setitem__(self, key: str, value: Any) -> NoReturn:
        raise TypeError(f"{key} would change for everybody who shares the message")


class SharedList(list[Any]):
    """The same for a list."""

    __slots__ = ("printed",)

    def __init__(self, entries: Iterable[Any]) -> None:
        super().__init__(entries)
        self.printed: dict[str, tuple[str, int]] = {}

    def append(self, entry: Any) -> NoReturn:
        raise TypeError(f"{entry} would be there for everybody who shares the list")


def of_the_last(derive: Callable[[_Nodes, *_Values], _T]) -> Callable[[_Nodes, *_Values], _T]:
    """`derive(nodes, *values)`, which remembers its answers about the last nodes: frozen, and known by identity."""
    last: tuple[tuple[object, ...], dict[tuple[object, ...], _T]] = ((), {})

    def derived(nodes: _Nodes, *values: *_Values) -> _T:
        nonlocal last
        if len(last[0]) != len(nodes) or any(map(is_not, last[0], nodes)):
            last = (nodes, {})
        answers = last[1]
        if values not in answers:
            answers[values] = derive(nodes, *values)
        return answers[values]

    return derived


def shared(make: Callable[[*_Values], dict[str, Any]]) -> Callable[[*_Values], Shared]:
    """`make`, whose message follows from its arguments and nothing else: plain values, which are all that it gets."""
    remember = lru_cache(maxsize=_KEPT, typed=True)  # 1 and True are not written alike
    return cast(Callable[[*_Values], Shared], remember(lambda *values: Shared(make(*values))))


def shared_list(make: Callable[[*_Values], Iterable[Any]]) -> Callable[[*_Values], SharedList]:
    """As `shared`."""
    remember = lru_cache(maxsize=_KEPT, typed=True)
    return cast(Callable[[*_Values], SharedList], remember(lambda *values: SharedList(make(*values))))
