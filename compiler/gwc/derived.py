"""What is derived from a whole Gateway, or a whole Service, and asked for again and again: made once.

Both are frozen, so that whatever follows from one holds for as long as it lives. Without this a question that looks at
every route, asked by every route, costs the square of their number.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from gwc.ir import Gateway, Service

_N = TypeVar("_N")
_T = TypeVar("_T")


def per_gateway(derive: Callable[[Gateway], _T]) -> Callable[[Gateway], _T]:
    """`derive`, which remembers its last answers: of the whole gateway, and of one that has a single service of it
    (`gwc.parts.alone`)."""
    whole, one = _remembering(derive), _remembering(derive)
    return lambda gateway: (one if len(gateway.services) == 1 else whole)(gateway)


def per_service(derive: Callable[[Service], _T]) -> Callable[[Service], _T]:
    """`derive`, which remembers its last answer: the routes of a service are asked for in a row."""
    return _remembering(derive)


def _remembering(derive: Callable[[_N], _T]) -> Callable[[_N], _T]:
    """A node is known by its identity: to compare two is not cheap."""
    last: tuple[_N, _T] | None = None

    def derived(node: _N) -> _T:
        nonlocal last
        if last is None or last[0] is not node:
            last = (node, derive(node))
        return last[1]

    return derived
