"""The report for people."""

from __future__ import annotations

import io

import pytest

from gwc.diagnostics import Diagnostic, Related, Severity, Span
from gwc.report.style import coloured, plain, style_for
from gwc.report.text import counts, render_text

TEXTS = {
    "policies/shop.yaml": "service: shop\ntimeouts:\n\trequest: 300s\nowner: 日本店 x\nlong: "
    + "y" * 300
    + "\r\nlast: line",
    "policies/platform.yaml": "bounds:\n  timeouts.request: {max: 120s}\n",
}


def span(file: str, line: int, column: int, end: int, end_line: int = 0) -> Span:
    return Span(f"policies/{file}.yaml", line, column, end_line or line, end)


def error(place: Span, message: str = "wrong", hint: str = "", *related: Related) -> Diagnostic:
    return Diagnostic(place, "GWC210", Severity.ERROR, message, hint, related)


def test_both_lines_of_a_bound() -> None:
    bound = Related(span("platform", 2, 3, 19), "the bound is here")
    finding = error(span("shop", 3, 11, 15), "timeouts.request 300s is above 120s", "write 120s or less", bound)
    assert render_text([finding], TEXTS) == (
        "policies/shop.yaml:3:11: error GWC210 timeouts.request 300s is above 120s\n"
        "    3 |  request: 300s\n"
        "      |           ^^^^\n"
        "  policies/platform.yaml:2:3: the bound is here\n"
        "    2 |   timeouts.request: {max: 120s}\n"
        "      |   ~~~~~~~~~~~~~~~~\n"
        "  hint: write 120s or less\n"
        "\n"
    )


@pytest.mark.parametrize(
    ("place", "underline"),
    [
        (span("shop", 4, 8, 11), "       ^^^^^^"),  # wide characters take two columns
        (span("shop", 4, 12, 13), "              ^"),
        (span("shop", 1, 1, 1), "^"),  # an empty span still has a place
        (span("shop", 1, 14, 15), "             ^"),  # the end of the line
        (span("shop", 2, 1, 15, 3), "^^^^^^^^^"),  # several lines: the first
        (span("shop", 6, 1, 5), "^^^^"),
    ],
)
def test_the_underline_is_below_the_words(place: Span, underline: str) -> None:
    assert render_text([error(place)], TEXTS).splitlines()[2] == f"      | {underline}"


def test_a_long_line_is_cut_around_the_span() -> None:
    _, line, underline, *_ = render_text([error(span("shop", 5, 200, 204))], TEXTS).splitlines()
    assert len(line) < 160
    assert underline.endswith("^^^^")
    assert len(underline) < len(line)


def test_a_place_without_text_has_no_excerpt() -> None:
    assert render_text([error(span("gone", 1, 1, 2))], TEXTS) == "policies/gone.yaml:1:1: error GWC210 wrong\n\n"
    assert render_text([error(span("shop", 99, 1, 2))], TEXTS) == "policies/shop.yaml:99:1: error GWC210 wrong\n\n"


def test_nothing_of_a_policy_steers_the_terminal() -> None:
    hostile = "\x1b[2J\x07\x9b31m\u202e\r"
    finding = error(Span(f"{hostile}.yaml", 1, 1, 1, 2), hostile, hostile, Related(Span("x", 1, 1, 1, 2), hostile))
    shown = render_text([finding], {f"{hostile}.yaml": f"a: {hostile}", "x": hostile}, plain)
    assert not set(hostile) & set(shown) - set("[2J31m")


def test_colour_only_adds_escapes() -> None:
    finding = error(span("shop", 1, 1, 8), "wrong", "right")
    shown = render_text([finding], TEXTS, coloured)
    assert "\x1b[1;31merror\x1b[0m" in shown
    assert shown != render_text([finding], TEXTS)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_who_gets_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert style_for(Terminal()) is coloured
    assert style_for(io.StringIO()) is plain
    monkeypatch.setenv("TERM", "dumb")
    assert style_for(Terminal()) is plain
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    assert style_for(Terminal()) is plain


def test_counts() -> None:
    place = span("shop", 1, 1, 2)
    found = [
        Diagnostic(place, "GWC210", severity, "m") for severity in (Severity.WARNING, Severity.ERROR, Severity.ERROR)
    ]
    assert counts(found) == "2 errors, 1 warning"
    assert counts([]) == "no findings"
