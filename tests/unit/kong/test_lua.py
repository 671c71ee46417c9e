"""The plugin's pure modules under LuaJIT: paths, ids and problem bodies."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lupa import luajit21

from gwc_kong.bundled import quote
from gwc_kong.document import LUA_MODULES, lua
from unit.kong.luajit import loaded, module

PATH = module("path")
IDS = module("ids")
TRACE = module("trace")


@pytest.mark.parametrize(
    ("raw", "canonical"),
    [
        ("/", "/"),
        ("//", "/"),
        ("/a//b", "/a/b"),
        ("/a/./b", "/a/b"),
        ("/a/../b", "/b"),
        ("/a/..", "/"),
        ("/a/b/..", "/a/"),
        ("/a/.", "/a/"),
        ("/../../a", "/a"),
        ("/a//../b", "/a/b"),
        ("/%41%2d%5F%7e", "/A-_~"),
        ("/%2e%2E/a", "/a"),
        ("/a\\..\\b", "/b"),
        ("/a|b^{}", "/a%7Cb%5E%7B%7D"),
        ("/a%20b%c3%a9%3A", "/a%20b%c3%a9%3A"),
        ("/%2541", "/%2541"),
        ("/a%zz", "/a%zz"),
    ],
)
def test_canonical_paths(raw: str, canonical: str) -> None:
    assert PATH.canonical(raw) == canonical


@pytest.mark.parametrize("raw", ["/a%2Fb", "/a%2fb", "/%5c", "/%00", "/%%32F", "/a#b", "", "a", "*"])
def test_ambiguous_paths_have_no_canonical_form(raw: str) -> None:
    assert PATH.canonical(raw) is None


@given(st.text(alphabet="/.\\%2e2EaAb5c~|\x80", min_size=1, max_size=40))
@settings(max_examples=400, deadline=None)
def test_canonical_is_a_fixed_point_without_dots(tail: str) -> None:
    path = PATH.canonical("/" + tail)
    if path is not None:
        assert PATH.canonical(path) == path
        assert "//" not in path
        assert "\\" not in path
        assert not {".", ".."} & set(path.split("/"))


@pytest.mark.parametrize("value", ["abcdefgh", "A" * 128, "a.b_c:d-e", "0123456789abcdef"])
def test_request_ids_that_are_kept(value: str) -> None:
    assert IDS.valid_request_id(value)


@pytest.mark.parametrize("value", ["short", "A" * 129, "abcdefgh!", "abcd efgh", "abcdefg\n", "", None, "äbcdefgh"])
def test_request_ids_that_are_replaced(value: str | None) -> None:
    assert not IDS.valid_request_id(value)


def test_a_caller_that_is_believed_is_the_parent() -> None:
    trace, span, ours = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", "1" * 32
    given = f"00-{trace}-{span}-01"
    assert TRACE.begin(given, None, ours)["header"] == given, "without spans of our own, it is the service's parent too"
    for flags, sampled in (("01", True), ("00", False), ("03", True)):
        found = TRACE.begin(f"00-{trace}-{span}-{flags}", 0.5, ours)
        assert (found["id"], found["parent"], found["sampled"]) == (trace, span, sampled)
        assert found["header"] == f"00-{trace}-{found['span']}-{flags}" and found["span"] != span
    for wrong in (
        f"00-{'0' * 32}-{span}-01", f"00-{trace}-{'0' * 16}-01", f"01-{trace}-{span}-01", f"00-{trace}-{span}-01-x",
        f"00-{trace.upper()}-{span}-01", f"00-{trace}-{span}-1", "", f"00-{trace[1:]}-{span}-01",
    ):  # fmt: skip
        assert TRACE.begin(wrong, 0.5, ours)["id"] == ours, wrong


@pytest.mark.parametrize("random", ["0af7651916cd43dd8448eb211c80319c", "0" * 32, "f" * 32])
def test_new_traces(random: str) -> None:
    for sample in (None, 0.0, 0.3, 1.0):
        found = TRACE.begin(None, sample, random)
        assert re.fullmatch(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-0[01]", found["header"])
        assert sample not in (None, 1.0) or found["sampled"]
        assert sample != 0.0 or not found["sampled"]
        assert found["sampled"] is found["header"].endswith("-01")


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("", ""), ("a=1&b", "a=1&b"), ("token=x", "token=***"), ("a=1&TOKEN=x=y&b=2", "a=1&TOKEN=***&b=2"),
        ("%74oken=x", "%74oken=***"), ("token", "token"), ("token=", "token=***"), ("tokens=x", "tokens=x"),
        ("a=1;token=x;y&b=2", "a=1;token=***&b=2"), ("a;b;token=x", "a;b;token=***"), ("a=token=x", "a=token=x"),
        ("&&token=x&&", "&&token=***&&"), ("a%=1&token=%zz", "a%=1&token=***"), ("token%00=x", "token%00=x"),
    ],
)  # fmt: skip
def test_values_of_credentials_are_not_told(query: str, told: str) -> None:
    runtime, log = loaded("access_log", "problem")
    assert log.redacted(runtime.eval('{"token", "sig"}'), query) == told


def test_problem_bodies_are_json_whatever_they_say() -> None:
    runtime, problem = loaded("problem")
    conf = runtime.eval(
        '{error_type_base="https://e/", problems={["not-found"]={status=404, title="T\\"", detail="a\\\\b"}}}'
    )
    body = problem.body(conf, "not-found", 404, '/x"},\n\x01\x7f\\', "id")
    assert json.loads(body) == {
        "type": "https://e/not-found", "title": 'T"', "status": 404, "detail": "a\\b",
        "instance": '/x"},\n\x01\x7f\\', "request_id": "id",
    }  # fmt: skip


@given(st.text(max_size=60))
@settings(max_examples=200, deadline=None)
def test_no_text_escapes_a_lua_literal(text: str) -> None:
    runtime = luajit21.LuaRuntime(encoding="utf-8")
    assert runtime.eval(quote(text)) == text


@pytest.mark.parametrize("name", [*LUA_MODULES, "tls", "handler", "schema"])
def test_every_module_compiles_and_sets_no_global(name: str) -> None:
    compile_ = luajit21.LuaRuntime().eval("function(text) return assert(loadstring(text)) ~= nil end")
    assert compile_(lua(name))
    runtime = luajit21.LuaRuntime()
    runtime.execute("setmetatable(_G, {__newindex = function(_, key) error('global ' .. key) end})")
    if name in ("path", "ids", "problem"):
        runtime.execute(lua(name))
