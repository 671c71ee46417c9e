"""What is derived from a whole Gateway and asked for again and again: made once.

A Gateway is frozen, so that whatever follows from it holds for as long as it lives. Without this a question that looks
at every route, asked by every route, costs the square of their number.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from gwc.ir import Gateway

_T = TypeVar("_T")


def per_gateway(derive: Callable[[Gateway], _T]) -> Callable[[Gateway], _T]:
    """`derive`, which remembers its last answer. A Gateway is known by its identity: to compare two is not cheap."""
    last: tuple[Gateway, _T] | None = None

    def derived(gateway: Gateway) -> _T:
        nonlocal last
        if last is None or last[0] is not gateway:
            last = (gateway, derive(gateway))
        return last[1]

    return derived
