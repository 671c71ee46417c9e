"""The chart of the page: a bar is as long as its value is large, and whatever a label holds stays a text."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

import charts

SVG = "{http://www.w3.org/2000/svg}"


def test_bars_are_as_long_as_their_values_are_large() -> None:
    root = ElementTree.fromstring(charts.bars("a < b", "ms", [("one & two", 10.0), ("three", 2.5), ("none", 0.0)]))
    long, short, none = (float(bar.attrib["width"]) for bar in root.iter(f"{SVG}rect"))
    assert (short / long, none) == (0.25, 0)
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert texts == ["a < b", "one & two", "10.0 ms", "three", "2.5 ms", "none", "0.00 ms"]


def test_a_chart_of_nothing_is_an_error() -> None:
    for values in ([], [("none", 0.0)]):
        with pytest.raises(ValueError, match="nothing"):
            charts.bars("t", "ms", values)
