"""The lines of a rendering that a value decides, found by changing the value."""

from __future__ import annotations

import pytest

from compiling import emitted
from explain.test_explain import ANYWHERE, PLATFORM, SHOP
from gwc.discovery import load_targets
from gwc.explain.lines import Texts, Tracing, different
from gwc.explain.values import Row, rows
from gwc.ir import Gateway
from gwc.target import Target
from testkit import gateway

TARGETS = [one.target for one in load_targets(())]


def test_only_what_differs_is_marked_and_in_whole_words() -> None:
    old = ["a", 'x: {"timeout": "15.05s", "y": 1}', "z"]
    new = ["a", 'x: {"timeout": "16.05s", "y": 1}', "z"]
    assert [old[n - 1][begin:end] for n, begin, end in different(old, new)] == ["15.05s"]


def test_lines_that_are_gone_are_whole_ones() -> None:
    assert list(different(["a", "  b", "c", "d"], ["a", "d"])) == [(2, 2, 3), (3, 0, 1)]
    assert list(different(["a", "d"], ["a", "b", "d"])) == []


@pytest.fixture(scope="module")
def built() -> Gateway:
    return gateway(SHOP, ANYWHERE, platform=PLATFORM)


def _tracing(built: Gateway, target: Target) -> Tracing:
    def render(of: Gateway) -> Texts:
        return {path: file.text for path, file in emitted(of, target, target.profiles[0]).files.items()}

    return Tracing(built, render)


def _row(built: Gateway, field: str) -> Row:
    return next(row for row in rows(built, "shop", "item") if row.field == field)


EXPECTED = {
    "envoy": {"timeouts.connect": '"1s"', "retries.attempts": "2", "retries.per_try": '"1s"'},
    "nginx": {"timeouts.connect": "1000ms", "retries.attempts": "2", "retries.per_try": "1000ms"},
    "kong": {"timeouts.connect": "1000", "retries.attempts": "2"},
}


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_the_lines_of_a_value_hold_it(built: Gateway, target: Target) -> None:
    tracing = _tracing(built, target)
    for field, word in EXPECTED[target.name].items():
        lines = tracing.lines(_row(built, field).leaves)
        assert lines, field
        marked = [tracing.files[line.file].splitlines()[line.number - 1] for line in lines]
        assert any(word in line for line in marked), (field, marked)


def test_a_value_that_nothing_renders_has_no_lines(built: Gateway) -> None:
    tracing = Tracing(built, lambda of: {"a": "always the same\n"})
    assert tracing.lines(_row(built, "cost").leaves) == ()


def test_a_value_that_nobody_could_write_is_no_answer(built: Gateway) -> None:
    before = True

    def render(of: Gateway) -> Texts:
        nonlocal before
        if not before:
            raise ValueError("no such thing")
        before = False
        return {"a": "text\n"}

    assert Tracing(built, render).lines(_row(built, "cost").leaves) is None
