"""Configurations as trees, and where two of them differ.

A target brings both sides into this one form: defaults that its engine does not show are left out, numbers and
durations have one spelling, and the members of a list have keys that say what they are, not where they stand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum
from typing import Any

Scalar = str | int | float | bool | None


class Series(dict[str, "Tree"]):
    """A list whose members have keys, in an order that matters."""


class Row(Series):
    """A series whose members have nothing but their position: two of them are laid side by side by what they hold."""


Tree = Scalar | Mapping[str, "Tree"]
Place = tuple[str, ...]
ORDER = "(order)"
"""The last step of a place at which only the order of a list's members differs."""


class Kind(StrEnum):
    """How the running gateway differs from its policies."""

    EXTRA = "extra"
    """It has what no policy asks for."""
    MISSING = "missing"
    """It lacks what the policies ask for."""
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Spot:
    """One place of difference; the topmost one where a whole branch is extra or missing."""

    kind: Kind
    place: Place
    wanted: Tree
    found: Tree


def differences(wanted: Tree, found: Tree, place: Place = ()) -> Iterator[Spot]:
    if isinstance(wanted, Row) and isinstance(found, Row):
        yield from _side_by_side(wanted, found, place)
    elif isinstance(wanted, Mapping) and isinstance(found, Mapping):
        yield from _branches(wanted, found, place)
    elif isinstance(wanted, Mapping) or isinstance(found, Mapping) or not same(wanted, found):
        yield Spot(Kind.CHANGED, place, wanted, found)


def _branches(wanted: Mapping[str, Tree], found: Mapping[str, Tree], place: Place) -> Iterator[Spot]:
    for key in (*wanted, *(key for key in found if key not in wanted)):
        if key not in found:
            yield Spot(Kind.MISSING, (*place, key), wanted[key], None)
        elif key not in wanted:
            yield Spot(Kind.EXTRA, (*place, key), None, found[key])
        else:
            yield from differences(wanted[key], found[key], (*place, key))
    if isinstance(wanted, Series) and isinstance(found, Series):
        before, after = [key for key in wanted if key in found], [key for key in found if key in wanted]
        if before != after:
            yield Spot(Kind.CHANGED, (*place, ORDER), "\n".join(before), "\n".join(after))


def _side_by_side(wanted: Row, found: Row, place: Place) -> Iterator[Spot]:
    before, after = ([repr(_frozen(member)) for member in row.values()] for row in (wanted, found))
    had, have = list(wanted.items()), list(found.items())
    for what, start, end, from_, to in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if what != "equal":
            yield from _rest(had[start:end], have[from_:to], place)


def _rest(had: list[tuple[str, Tree]], have: list[tuple[str, Tree]], place: Place) -> Iterator[Spot]:
    """Members between others that are equal: paired as far as they go."""
    for (key, wanted), (_, found) in zip(had, have, strict=False):
        yield from differences(wanted, found, (*place, key))
    yield from (Spot(Kind.MISSING, (*place, key), wanted, None) for key, wanted in had[len(have) :])
    yield from (Spot(Kind.EXTRA, (*place, key), None, found) for key, found in have[len(had) :])


def same(wanted: Scalar, found: Scalar) -> bool:
    """`true` is not 1."""
    return wanted == found and isinstance(wanted, bool) is isinstance(found, bool)


_NOTHING = object()


def at(tree: Tree, place: Place) -> object:
    """What is at a place, in a form that compares with order; something unequal to everything else for nothing."""
    node: Tree = tree
    for step in place:
        if step == ORDER and isinstance(node, Mapping):
            return tuple(node)
        if not isinstance(node, Mapping) or step not in node:
            return _NOTHING
        node = node[step]
    return _frozen(node)


def _frozen(node: Tree) -> object:
    return [(key, _frozen(value)) for key, value in node.items()] if isinstance(node, Mapping) else node


def keyed(pairs: Iterator[tuple[str, Tree]]) -> Series:
    """A second member with the same key becomes `key (2)`."""
    series, seen = Series(), dict[str, int]()
    for key, value in pairs:
        seen[key] = seen.get(key, 0) + 1
        series[key if seen[key] == 1 else f"{key} ({seen[key]})"] = value
    return series


def texts(node: Tree) -> Iterator[str]:
    """Every text in a tree."""
    if isinstance(node, Mapping):
        for value in node.values():
            yield from texts(value)
    elif isinstance(node, str):
        yield node


Name = Callable[[Mapping[str, Any]], str | None]
"""What tells one member of a list from the others; None for one that only has its position."""


def tree_of(value: Any, name: Name) -> Tree:
    """Parsed JSON or YAML in this form. What is null or empty is as good as absent."""
    if isinstance(value, Mapping):
        branches = {str(key): tree_of(one, name) for key, one in value.items()}
        return {key: branch for key, branch in branches.items() if branch is not None and branch != {}}
    if isinstance(value, list):
        members = ((_key(one, number, name), tree_of(one, name)) for number, one in enumerate(value, 1))
        return Row(members) if _unnamed(value, name) else keyed(members)
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


def _unnamed(members: list[Any], name: Name) -> bool:
    return all(isinstance(one, list) or (isinstance(one, Mapping) and not name(one)) for one in members)


def _key(member: Any, number: int, name: Name) -> str:
    if isinstance(member, Mapping):
        return name(member) or str(number)
    return str(number) if isinstance(member, list) else str(member)
