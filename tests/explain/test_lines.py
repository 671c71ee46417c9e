"""The lines of a rendering that a value decides, found by changing the value."""

from __future__ import annotations

import pytest

from compiling import emitted
from explain.test_explain import ANYWHERE, PLATFORM, SHOP
from gwc.discovery import load_targets
from gwc.explain.lines import Texts, Tracing, different, without_route
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

    return Tracing(built, render, without_route(built, "shop", "item"))


def _row(built: Gateway, field: str) -> Row:
    return next(row for row in rows(built, "shop", "item") if row.field == field)


EXPECTED = {
    "envoy": {"timeouts.connect": '"1s"', "retries.attempts": "2", "retries.per_try": '"1s"'},
    "nginx": {"timeouts.connect": "1000ms", "retries.attempts": "2", "retries.per_try": "1000ms"},
    "kong": {"timeouts.connect": "connect: 1", "retries.attempts": "2"},
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
    tracing = Tracing(built, lambda of: {"a": "always the same\n"}, built)
    assert tracing.lines(_row(built, "cost").leaves) == ()


def test_a_value_that_nobody_could_write_is_no_answer(built: Gateway) -> None:
    def render(of: Gateway) -> Texts:
        if of is not built:
            raise ValueError("no such thing")
        return {"a": "text\n"}

    assert Tracing(built, render, built).lines(_row(built, "cost").leaves) is None


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_the_lines_of_the_route_itself_come_first(built: Gateway, target: Target) -> None:
    """The platform's limit is in the lines of every route."""
    tracing = _tracing(built, target)
    lines = tracing.lines(_row(built, "limits.ip").leaves)
    assert lines
    assert (lines[0].file, lines[0].number) in tracing._own or not any(
        (line.file, line.number) in tracing._own for line in lines
    )


def test_without_a_route_nothing_else_is_missing(built: Gateway) -> None:
    left = without_route(built, "shop", "item")
    assert [(s.name, [r.name for r in s.routes]) for s in left.services] == [
        ("files", ["every", "feed"]), ("shop", ["find", "order"]),
    ]  # fmt: skip
    alone = without_route(without_route(built, "files", "every"), "files", "feed")
    assert [service.name for service in alone.services] == ["shop"]
