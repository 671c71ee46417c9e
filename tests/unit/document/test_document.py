from __future__ import annotations

import json
import time

from hypothesis import given
from hypothesis import strategies as st

from gwc.diagnostics import Report
from gwc.document import Document, MappingNode, find, merge, parse, to_data
from gwc.source import Source

TEXT = """\
a: 1
b:
  - x: no
    y: 10:30
  - {p: true, q: 0x1F, r: 0o17, s: 0777}
c: &c
  d: 'é'
  e: "x"
f: 1.5
g: ~
h: *c
i: null
j: False
"""


def read(text: str) -> Document:
    report = Report()
    document = parse(Source("f.yaml", text), report)
    assert document is not None, report.diagnostics
    return document


def test_scalars_are_those_of_yaml_1_2() -> None:
    assert read(TEXT).data() == {
        "a": 1,
        "b": [{"x": "no", "y": "10:30"}, {"p": True, "q": 31, "r": 15, "s": 777}],
        "c": {"d": "é", "e": "x"},
        "f": 1.5,
        "g": None,
        "h": {"d": "é", "e": "x"},
        "i": None,
        "j": "False",
    }


def test_every_value_and_key_has_its_position() -> None:
    document = read(TEXT)
    assert str(document.span(("b", 0, "y"))) == "f.yaml:4:8"
    assert str(document.key_span(("b", 0, "y"))) == "f.yaml:4:5"
    assert str(document.place(("c",))) == "f.yaml:6:1"
    assert str(document.place(("f",))) == "f.yaml:9:4"
    assert str(document.span(("b", 1))) == "f.yaml:5:5"
    assert document.span(("b", 1)).end_column == 41


def test_columns_count_characters() -> None:
    assert str(read("k: {é: ü, x: 1}").span(("k", "x"))) == "f.yaml:1:14"


def test_lines_end_where_the_yaml_parser_says() -> None:
    for position, text in [("3:1", "a: 1\r# x\u2028\x07"), ("3:4", "a: 1\r\n# x\u2029b: \x07")]:
        report = Report()
        parse(Source("f.yaml", text), report)
        assert [str(d.span) for d in report.diagnostics] == [f"f.yaml:{position}"]


def test_a_chain_of_aliases_is_no_deeper_than_what_is_written_out() -> None:
    links = "".join(f"k{n}: &a{n} {'[' * 35}{f'*a{n - 1}' if n else ''}{']' * 35}\n" for n in range(60))
    report = Report()
    assert parse(Source("f.yaml", links), report) is None
    assert [(d.code, d.span.line) for d in report.diagnostics] == [("GWC006", 2)]


def test_many_routes_and_names_take_no_quadratic_time() -> None:
    """Eight times as many take 8 times as long, and would take 64 times; the bound lies between."""
    assert _merging(8000) < 24 * _merging(1000)


def _merging(routes: int) -> float:
    """Processor time for an overlay over each of `routes` routes, in seconds; the least of three."""
    base, over = (
        read("routes: [" + ",".join(f"{{name: r{n}, {k}: 1}}" for n in range(routes)) + "]").root for k in "ab"
    )
    took = []
    for _ in range(3):
        started = time.process_time()
        merged = to_data(merge(base, over))
        took.append(time.process_time() - started)
        assert isinstance(merged, dict)
        assert merged["routes"][-1] == {"name": f"r{routes - 1}", "a": 1, "b": 1}
    return min(took)


def test_where_a_secret_is_kept_is_one_value_that_an_overlay_replaces() -> None:
    def merged(base: str, over: str) -> object:
        return to_data(merge(read(base).root, read(over).root))

    assert merged("secret: {env: A}", "secret: {file: /b}") == {"secret": {"file": "/b"}}
    assert merged("jwks: {file: k.json}", "jwks: {url: u}") == {"jwks": {"url": "u"}}
    assert merged("secret: {env: A}", "secret: {}") == {"secret": {"env": "A"}}
    assert merged("ca: {file: a}", "ca: {file: b}") == {"ca": {"file": "b"}}
    assert merged("set: {file: a}", "set: {url: b}") == {"set": {"file": "a", "url": "b"}}


def test_a_path_that_leads_nowhere_gives_the_closest_span() -> None:
    document = read("a: {b: 1}")
    assert document.span(("a", "x", "y")) == document.span(("a",))
    assert not document.has(("a", "x"))
    assert document.has(("a", "b"))


def test_merging_keeps_the_spans_of_both_sides() -> None:
    base = read("a: {b: 1, c: [1, 2]}\nroutes: [{name: x, cost: 1}, {name: y}]").root
    over = parse(Source("over.yaml", "a: {c: [3]}\nroutes: [{name: y, cost: 7}, {name: z}]"), Report())
    assert over is not None
    merged = merge(base, over.root)
    assert to_data(merged) == {
        "a": {"b": 1, "c": [3]},
        "routes": [{"name": "x", "cost": 1}, {"name": "y", "cost": 7}, {"name": "z"}],
    }
    assert str(find(merged, ("a", "c"))[1]).startswith("over.yaml:1")
    assert str(find(merged, ("a", "b"))[1]).startswith("f.yaml:1")
    assert isinstance(merged, MappingNode)
    assert str(merged.items["a"].keys["c"]).startswith("over.yaml")  # type: ignore[union-attr]


_plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**9), 10**9)
    | st.text(st.characters(exclude_categories=("C",), max_codepoint=0xFFFF)),
    lambda children: (
        st.lists(children, max_size=4) | st.dictionaries(st.text("abcxyz", min_size=1), children, max_size=4)
    ),
    max_leaves=20,
)


@given(st.dictionaries(st.text("abcxyz", min_size=1, max_size=8), _plain, min_size=1, max_size=6))
def test_json_is_yaml(data: dict[str, object]) -> None:
    assert read(json.dumps(data)).data() == data


@given(st.text(max_size=200))
def test_any_text_gives_a_document_or_a_diagnostic(text: str) -> None:
    report = Report()
    document = parse(Source("f.yaml", text), report)
    assert (document is None) == report.failed
    for diagnostic in report.diagnostics:
        assert diagnostic.span.line >= 1
        assert diagnostic.span.column >= 1
