"""The printer of the bootstrap, held against the rule that it follows, written the slow way."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gwc_envoy.printing import render
from gwc_envoy.shared import Shared, SharedList

_scalars = st.one_of(
    st.text(max_size=90), st.booleans(), st.integers(), st.none(), st.floats(allow_nan=False, allow_infinity=False)
)
_nodes = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=20), inner, max_size=5),
    max_leaves=40,
)


def _lines(node: Any, depth: int, lead: str = "", tail: str = "") -> list[str]:
    pad = " " * depth
    if not isinstance(node, dict | list) or _width(node) <= 160:
        return [f"{pad}{lead}{json.dumps(node)}{tail}"]
    entries = list(node.items()) if isinstance(node, dict) else [(None, item) for item in node]
    lines = [f"{pad}{lead}{'{' if isinstance(node, dict) else '['}"]
    for number, (key, value) in enumerate(entries, 1):
        before = "" if key is None else f"{json.dumps(key)}: "
        lines += _lines(value, depth + 1, before, "," if number < len(entries) else "")
    return [*lines, f"{pad}{'}' if isinstance(node, dict) else ']'}{tail}"]


def _width(node: Any) -> int:
    if isinstance(node, str):
        return len(node) + 2
    if isinstance(node, dict):
        return sum(len(key) + 4 + _width(value) for key, value in node.items())
    return sum(4 + _width(item) for item in node) if isinstance(node, list) else len(str(node))


@given(_nodes)
@settings(max_examples=500, deadline=None)
def test_what_fits_on_a_line_stands_on_one(node: Any) -> None:
    text = render(node)
    assert text == "\n".join((*_lines(node, 0), ""))
    assert json.loads(text) == node


def _sharing(node: Any) -> Any:
    if isinstance(node, dict):
        return Shared({key: _sharing(value) for key, value in node.items()})
    return SharedList(map(_sharing, node)) if isinstance(node, list) else node


@given(_nodes, _nodes)
@settings(max_examples=200, deadline=None)
def test_what_is_shared_is_printed_as_what_is_not(node: Any, other: Any) -> None:
    """At every indent, and whatever stands beside it."""
    one = _sharing(node)
    for around in ([one, one], {"a": [other, {"b": one}], "c": one}, [[[one], other]]):
        assert render(around) == render(json.loads(json.dumps(around)))


def test_what_is_shared_does_not_change() -> None:
    with pytest.raises(TypeError, match="everybody"):
        Shared({})["name"] = 1
    with pytest.raises(TypeError, match="everybody"):
        SharedList([]).append(1)
