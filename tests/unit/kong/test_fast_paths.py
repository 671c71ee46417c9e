"""The two short ways of the Kong target, held against the long ones: a text against its lines, a verdict against its
reasons."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from gwc.diagnostics import Span
from gwc.ir import Level, Origin
from gwc.target import Described
from gwc_kong import TARGET
from gwc_kong.accepting import accepted
from gwc_kong.judge import complaints
from gwc_kong.yaml_text import At, _bare, _block, render
from unit.kong.test_emit import PROFILES, SAMPLE

_scalars = st.one_of(
    st.text(max_size=12), st.booleans(), st.integers(-(10**9), 10**9), st.integers(0, 10**9).map(lambda n: n / 1000)
)
_origin = Origin(Level.SERVICE, Span("a.yaml", 3, 1, 3, 2))


def _marked(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return values | values.map(lambda value: At(value, _origin))


_values = st.recursive(
    _marked(_scalars),
    lambda inner: _marked(st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)),
    max_leaves=12,
)
_documents = st.dictionaries(st.text(max_size=6), _values, min_size=1, max_size=4)


def _plain(value: Any) -> Any:
    bare: Any = _bare(value)
    if isinstance(bare, dict):
        return {key: _plain(item) for key, item in bare.items()}
    return [_plain(item) for item in bare] if isinstance(bare, list) else bare


@given(_documents)
@settings(max_examples=300, deadline=None)
def test_the_text_is_that_of_its_lines_and_says_the_document(document: dict[str, Any]) -> None:
    output = render(lambda: document)
    assert output.text == "".join(line.text + "\n" for line in _block(document, "", None))
    assert yaml.safe_load(output.text) == _plain(document)
    assert set(output.lines.values()) <= {_origin.span}


def test_lines_lead_to_where_they_were_written() -> None:
    output = render(lambda: {"a": 1, "b": At([{"c": 2, "d": [At({"e": 3}, _origin)]}], None), "f": At("x", _origin)})
    assert [output.text.splitlines()[number - 1].strip() for number in output.lines] == ["- e: 3", 'f: "x"']


def _emitted(profile: str) -> dict[str, Any]:
    output = TARGET.emit(SAMPLE, profile).files["kong.yml"]
    assert isinstance(output, Described)
    assert accepted(output.document)  # with the marks of where it came from
    return dict(_plain(output.document))


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield (*path, key)
            yield from _places(item, (*path, key))


_WRONG: tuple[Any, ...] = (None, "", "x", 0, -1, 99999, 1.5, True, [], ["x", "x"], {}, {"x": "y"}, At("x", None))


@pytest.mark.parametrize("profile", PROFILES)
def test_whatever_is_changed_both_come_to_the_same_verdict(profile: str) -> None:
    document = _emitted(profile)
    refused = 0
    for number, path in enumerate(path for path in _places(document) if not _is_entity(path)):
        for wrong in (_WRONG[number % len(_WRONG)], _WRONG[(number + 5) % len(_WRONG)], ...):
            changed = copy.deepcopy(document)
            holder: Any = changed
            for key in path[:-1]:
                holder = holder[key]
            if wrong is ...:
                del holder[path[-1]]
            else:
                holder[path[-1]] = wrong
            verdict = _explained(changed)
            assert accepted(changed) is verdict, (path, wrong)
            refused += not verdict
    assert refused > 100


def _is_entity(path: tuple[Any, ...]) -> bool:
    """Both walk over entities and need them to be some."""
    nested = path[0] == "services" and len(path) in (3, 4) and path[2] == "routes"
    return len(path) < 3 or nested or path[-1] == "config" or path == ("plugins", path[1], "name")


def _explained(document: dict[str, Any]) -> bool:
    return not list(complaints(_plain(document)))
