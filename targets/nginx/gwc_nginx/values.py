"""What is the same for many routes, made once: by the values that it follows from, never by a name."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import fields
from functools import lru_cache
from operator import attrgetter
from typing import get_type_hints

from gwc.ir import Node

remembered = lru_cache(maxsize=4096)
"""For what follows from its arguments alone."""


def values(node: Node | None) -> Hashable:
    """What it says, in one tuple, as a node's own hash takes its time. Equal for equal nodes of one class, and for them
    alone."""
    if node is None:
        return None
    read = _READERS.get(node.__class__)
    if read is None:
        read = _READERS[node.__class__] = reader(node.__class__)
    return read(node)


_READERS: dict[type[Node], Callable[[Node], Hashable]] = {}


def reader(kind: type[Node], without: frozenset[str] = frozenset()) -> Callable[[Node], Hashable]:
    """What `values` reads, of a class of which some fields do not count. A field has one type, so that equal values
    are written alike."""
    return attrgetter(*_leaves(kind, without))


def _leaves(kind: type[Node], without: frozenset[str] = frozenset()) -> Iterator[str]:
    """The fields by their paths, where a node is always there, those of that node: it is read without a call of its
    own. A node that may be missing stands for itself."""
    hints = get_type_hints(kind)
    for one in fields(kind):
        if one.compare and one.name not in without:
            hint = hints[one.name]
            inner = isinstance(hint, type) and issubclass(hint, Node)
            yield from (f"{one.name}.{leaf}" for leaf in _leaves(hint)) if inner else (one.name,)
