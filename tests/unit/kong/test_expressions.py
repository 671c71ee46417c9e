"""What Kong's router looks for before it tries a pattern: only texts that every path of the pattern has."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from gwc_kong.routing import expression, router_pattern
from kong_standin.expressions import to_lua
from unit.kong.gateways import template

_LITERALS = st.text("ab.-_~&+()", min_size=1, max_size=4)
_SEPARATORS = st.sampled_from(["/", "//", "\\", "/\\"])


@st.composite
def _paths(draw: st.DrawFn) -> tuple[str, str]:
    """The text of a template, and a path of it as a client may spell it."""
    shape, path = "", ""
    for segment in draw(st.lists(_LITERALS | st.just("{id}"), min_size=1, max_size=5)):
        shape += f"/{segment}"
        path += draw(_SEPARATORS) + (draw(_LITERALS) if segment == "{id}" else segment)
    return shape, path


@given(_paths())
def test_no_path_of_a_pattern_lacks_what_is_looked_for_first(drawn: tuple[str, str]) -> None:
    shape, path = drawn
    pattern = router_pattern(template(shape)).replace(r"\z", r"\Z")
    texts = re.findall(r'http\.path contains r#"(.*?)"#', expression(None, template(shape), None))
    assert re.search(pattern, path)
    assert set(texts) == {segment for segment in shape[1:].split("/") if segment != "{id}"}
    assert all(text in path for text in texts)


def test_the_rarest_is_looked_for_first_and_the_pattern_last() -> None:
    told = expression(None, template("/orders-of-all/v1/{id}"), None)
    assert re.findall(r"http\.path (\S+) ", told) == ["contains", "contains", "~"]
    assert told.startswith('http.path contains r#"orders-of-all"# && http.path contains r#"v1"# && ')
    assert 'holds(path, "v1", 1, true)' in to_lua(told)
