"""Whoever looks into one branch finds what whoever tries all entries in turn does, whatever the path."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gwc.ir import PathTemplate, Segment, SegmentKind
from gwc_envoy.routing import path_match
from gwc_envoy.tree import Branch, branches

TEXTS = ["", "a", "ab", "abc", "b", "v1", "v10", "a.b", "%20"]
literals = st.sampled_from(TEXTS).map(lambda text: Segment(SegmentKind.LITERAL, text))
parameters = st.just(Segment(SegmentKind.PARAM, "p"))
rest = st.just(Segment(SegmentKind.REST, ""))


@st.composite
def templates(draw: st.DrawFn) -> PathTemplate:
    segments = draw(st.lists(literals | literals | parameters, min_size=1, max_size=4))
    segments += draw(st.lists(rest, max_size=1))
    return PathTemplate("", tuple(segments))


def _mostly_literal(first: str) -> st.SearchStrategy[PathTemplate]:
    """Many that begin alike, as a base path makes them."""
    return templates().map(lambda one: PathTemplate("", (Segment(SegmentKind.LITERAL, first), *one.segments)))


tables = st.lists(templates() | _mostly_literal("a") | _mostly_literal("ab"), min_size=1, max_size=40)
"""In any order: a host's own entries come before those of services for all hosts."""

paths = st.lists(st.sampled_from([*TEXTS, "x", "abx", "v1x", "a?", "b?/a"]), min_size=1, max_size=5).map(
    lambda segments: "/" + "/".join(segments)
)


def _matches(template: PathTemplate, path: str) -> bool:
    """As Envoy does: without the query."""
    ((kind, value),) = path_match(template).items()
    bare = path.partition("?")[0]
    if kind == "safe_regex":
        return re.fullmatch(value["regex"], bare) is not None
    return bare == value if kind == "path" else bare.startswith(value)


def _found(table: Sequence[PathTemplate], numbers: Sequence[int], path: str) -> int | None:
    return next((number for number in numbers if _matches(table[number], path)), None)


def _branch(of: Sequence[Branch], path: str) -> Branch:
    """As Envoy does: the longest prefix of the path with its query."""
    fitting = [branch for branch in of if branch.prefix is not None and path.startswith(branch.prefix)]
    return max(fitting, key=lambda branch: len(branch.prefix or ""), default=of[-1])


@settings(max_examples=300)
@given(tables, st.lists(paths, min_size=1, max_size=20), st.sampled_from([0, 2, 5]))
def test_a_branch_has_what_decides(table: list[PathTemplate], asked: list[str], few: int) -> None:
    found = branches(table, few)
    for path in asked if found else ():
        assert _found(table, _branch(found, path).entries, path) == _found(table, range(len(table)), path), path


@settings(max_examples=100)
@given(tables)
def test_each_prefix_stands_once_and_the_rest_last(table: list[PathTemplate]) -> None:
    found = branches(table, 1)
    prefixes = [branch.prefix for branch in found]
    assert len(set(prefixes)) == len(prefixes)
    assert None not in prefixes[:-1] and prefixes[-1:] in ([], [None])
    for branch in found:
        assert list(branch.entries) == sorted(set(branch.entries))


def _literal(*texts: str) -> PathTemplate:
    return PathTemplate("", tuple(Segment(SegmentKind.LITERAL, text) for text in texts))


def test_few_stay_a_list() -> None:
    assert branches([_literal("a", str(number)) for number in range(24)]) == ()


def test_services_have_branches_of_their_own() -> None:
    """And a large one has several."""
    table = [_literal("one", str(number)) for number in range(5)] + [_literal("two", str(n)) for n in range(30)]
    found = branches(table)
    assert found[0] == Branch("/one", (0, 1, 2, 3, 4))
    assert Branch("/two", ()) in found
    assert Branch("/two/7", (12,)) in found
    assert found[-1] == Branch(None, ())


def test_placeholders_everywhere_stay_a_list() -> None:
    anything = Segment(SegmentKind.PARAM, "p")
    table = [PathTemplate("", (anything, Segment(SegmentKind.LITERAL, str(number)))) for number in range(50)]
    table += [_literal(str(number)) for number in range(50)]
    assert branches(table) == ()


@pytest.mark.parametrize("path", ["/abx", "/ab/x", "/ab?/b", "/abc"])
def test_a_prefix_ends_anywhere_in_a_segment(path: str) -> None:
    anything = Segment(SegmentKind.PARAM, "p")
    table = [_literal("ab"), _literal("abc"), PathTemplate("", (anything,)), PathTemplate("", (anything, anything))]
    found = branches(table, 0)
    assert _found(table, _branch(found, path).entries, path) == _found(table, range(4), path)


def test_a_literal_behind_a_placeholder_may_go_on_where_a_prefix_ends() -> None:
    anything = Segment(SegmentKind.PARAM, "p")
    table = [_literal("a", "ab"), _literal("a", "b"), PathTemplate("", (anything, Segment(SegmentKind.LITERAL, "abc")))]
    assert _found(table, _branch(branches(table, 0), "/a/abc").entries, "/a/abc") == 2
