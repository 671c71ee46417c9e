"""Messages that many routes and clusters have alike: made once for the values that they follow from, printed once."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NoReturn, TypeVarTuple, cast

_Values = TypeVarTuple("_Values")

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


def shared(make: Callable[[*_Values], dict[str, Any]]) -> Callable[[*_Values], Shared]:
    """`make`, whose message follows from its arguments and nothing else: plain values, which are all that it gets."""
    remember = lru_cache(maxsize=_KEPT, typed=True)  # 1 and True are not written alike
    return cast(Callable[[*_Values], Shared], remember(lambda *values: Shared(make(*values))))
