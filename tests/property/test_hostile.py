"""No hostile string escapes its place: it is refused with a position, or an engine reads it as the same text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

import maximal
from compiling import compiled, sources_of
from gwc.diagnostics import Severity
from gwc.ir_json import to_jsonable
from property.strategies import HOSTILE

Policies = dict[str, dict[str, Any]]
Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a string stands in the maximal policies: a value, or a key that a team chooses."""

    path: Path
    is_key: bool = False

    def __str__(self) -> str:
        return ".".join(map(str, self.path)) + (" (key)" if self.is_key else "")


def places(data: Any, path: Path = ()) -> Iterator[Place]:
    if isinstance(data, str):
        yield Place(path)
    elif isinstance(data, dict):
        for key, value in data.items():
            yield Place((*path, key), is_key=True)
            yield from places(value, (*path, key))
    elif isinstance(data, list):
        for index, item in enumerate(data):
            yield from places(item, (*path, index))


PLACES = [place for name, data in maximal.policies().items() for place in places(data, (name,))]


def with_text(place: Place, text: str) -> Policies:
    """The maximal policies with `text` at `place`."""
    policies: Policies = maximal.policies()
    parent: Any = policies
    for step in place.path[:-1]:
        parent = parent[step]
    last = place.path[-1]
    if place.is_key:
        parent[text] = parent.pop(last)
    else:
        parent[last] = text
    return policies


FOR_PEOPLE = {
    ("platform", "owner"): "the platform's owner and description are for readers of the policy",
    ("platform", "description"): "the platform's owner and description are for readers of the policy",
    ("platform", "waivers", 0, "reason"): "a waiver's reason is for readers of the policy",
}
"""Texts that are checked and then go no further."""


@pytest.mark.parametrize("place", [place for place in PLACES if len(place.path) > 1], ids=str)
def test_a_hostile_string_is_refused_where_it_stands_or_kept_as_it_is(place: Place) -> None:
    for text in HOSTILE:
        gateway, report = compiled(sources_of(with_text(place, text), maximal.DIRECTORY))
        if gateway is None:
            worst = report.diagnostics[0]
            assert worst.severity is Severity.ERROR
            assert worst.code.startswith("GWC")
            assert worst.span.line > 0
            assert len(worst.message) < 1000
        elif place.path not in FOR_PEOPLE:
            assert text in _strings(to_jsonable(gateway)), f"{text!r} is accepted at {place} and then lost or changed"


def _strings(value: Any) -> set[str]:
    """Every text in a JSON value, keys too."""
    if isinstance(value, dict):
        return {text for key, item in value.items() for text in ({key} | _strings(item))}
    if isinstance(value, list):
        return {text for item in value for text in _strings(item)}
    return {value} if isinstance(value, str) else set()
