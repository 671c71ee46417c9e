"""Suppressions: what they take away, and what is wrong with them."""

from __future__ import annotations

import pytest

from gwc.diagnostics import Diagnostic
from gwc.lint.fix import fixed
from gwc.source import Source
from lint.rules import linted, sources

_RETRIES = "retries: {attempts: 1, when: [reset], per_try: 2s, unsafe: true}"
_ROUTE = f"routes:\n  - {{name: a, path: /a, methods: [POST], {_RETRIES}}}"
_CODE = "GWC303"


def _shop(before: str = "", behind: str = "") -> tuple[Source, ...]:
    """Plain policies, and a route that retries POST, with comments before and behind its line."""
    others = sources("")
    shop = others[1].text[: others[1].text.index("routes:")]
    first, second = _ROUTE.split("\n")
    lines = [first, *([f"  {before}"] if before else []), f"{second}{behind}"]
    return (others[0], Source("policies/shop.yaml", shop + "\n".join(lines) + "\n"))


def _found(policies: tuple[Source, ...]) -> list[tuple[str, str]]:
    return [(d.code, d.message) for d in linted(policies)]


def test_without_one_it_is_found() -> None:
    assert [code for code, _ in _found(_shop())] == [_CODE]


@pytest.mark.parametrize(
    "comment",
    [
        "# gwc: ignore[GWC303] the client sends an idempotency key",
        "# gwc: ignore[GWC303]: the client sends an idempotency key",
        "#gwc:ignore[GWC303] until 2026-11-23: the client sends an idempotency key",
        "# gwc: ignore[GWC303] until 2027-01-01 the client sends an idempotency key",
    ],
)
def test_behind_the_line_or_alone_above_it(comment: str) -> None:
    assert _found(_shop(before=comment)) == []
    assert _found(_shop(behind=f"  {comment}")) == []


@pytest.mark.parametrize(
    ("comment", "code", "message"),
    [
        ("# gwc: ignore[GWC303]", "GWC591", "a suppression needs its reason"),
        ("# gwc: ignore[GWC303] until 2027-01-01", "GWC591", "a suppression needs its reason"),
        ("# gwc: ignore", "GWC593", "no code is named"),
        ("# gwc: ignore because", "GWC593", "no code is named"),
        ("# gwc: ignore[] because", "GWC593", "no code is named"),
        ("# gwc: ignore[GWC999] because", "GWC593", "`GWC999` is no code of lint"),
        ("# gwc: ignore[GWC210] because", "GWC593", "`GWC210` is no code of lint"),
        ("# gwc: ignore[GWC303] until soon: because", "GWC593", "`soon` is no date"),
        ("# gwc: ignore[GWC303] until 2026-11-22: because", "GWC592", "the suppression ended on 2026-11-22"),
    ],
)
def test_a_faulty_one_suppresses_nothing_and_is_found(comment: str, code: str, message: str) -> None:
    found = _found(_shop(behind=f"  {comment}"))
    assert sorted(c for c, _ in found) == [_CODE, code]
    assert dict(found)[code] == message


def test_an_unused_one_is_found_and_its_fix_removes_it() -> None:
    policies = _shop(before="# gwc: ignore[GWC301] it used to be", behind="  # gwc: ignore[GWC303] an idempotency key")
    found = linted(policies)
    assert [(d.code, d.message) for d in found] == [("GWC590", "nothing is suppressed: GWC301 is not found here")]
    assert _texts(found, policies) == {
        "policies/shop.yaml": _shop(behind="  # gwc: ignore[GWC303] an idempotency key")[1].text
    }


def test_removing_one_behind_a_line_leaves_the_line() -> None:
    policies = _shop(behind="  # gwc: ignore[GWC303] a key, # gwc: ignore[GWC301] is text of the reason")
    assert linted(policies) == ()
    unused = (
        sources("")[0],
        Source("policies/shop.yaml", sources("")[1].text + "description: x  # gwc: ignore[GWC301] no\n"),
    )
    assert _texts(linted(unused), unused)["policies/shop.yaml"].endswith("description: x\n")


def test_text_that_looks_like_one_is_text() -> None:
    shop = Source("policies/shop.yaml", sources("")[1].text + "description: 'a # gwc: ignore[GWC301] in a text'\n")
    assert linted((sources("")[0], shop)) == ()


def _texts(found: tuple[Diagnostic, ...], policies: tuple[Source, ...]) -> dict[str, str]:
    return fixed(found, {source.name: source.text for source in policies})
