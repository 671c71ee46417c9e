"""Texts with holes are what they would be without, whatever the words are."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from json.encoder import encode_basestring_ascii

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gwc.holes import Sheet, bare, settled
from gwc.ir import Address, Auth, Timeouts
from gwc.parts import Made

_WIDTH = 24


def _printed(key: object, words: Sequence[str]) -> Made:
    """A line for each word where all together would be too long, and some words twice."""
    entries = [json.dumps(key), *[encode_basestring_ascii(f"{word}/{words[0]}") for word in words]]
    between = ",\n" if sum(map(len, words)) > _WIDTH else ", "
    return Made(f"[{between.join(entries)}]", fit=key != "unfit")


@dataclass
class _Counted:
    """Texts by a sheet, and how many of them were made plainly."""

    sheet: Sheet
    plainly: int = 0

    def text(self, key: object, words: Sequence[str], printed: Callable[[object, Sequence[str]], Made]) -> Made:
        def plainly() -> Made:
            self.plainly += 1
            return printed(key, words)

        return self.sheet.text(key, words, lambda others: printed(key, others), plainly)


def _counted(most: int = 1024) -> _Counted:
    return _Counted(Sheet(lambda word: encode_basestring_ascii(word)[1:-1], most))


_WORDS = st.lists(st.text(max_size=20) | st.sampled_from(["a", "b-c", '"', "\\", "\ue000", "\uf001\ue000", "{}", "\n"]))


@given(st.lists(st.tuples(st.sampled_from(["", "a", "\ue000", "\uf000x", "unfit"]), _WORDS), max_size=20))
def test_a_text_is_what_it_is_without_holes(asked: list[tuple[str, list[str]]]) -> None:
    counted = _counted(most=3)
    for key, words in (*asked, *asked, *asked):
        if words:
            assert counted.text(key, words, _printed) == _printed(key, words)


@given(st.lists(st.tuples(*[st.text(min_size=1, max_size=8)] * 3), min_size=3, max_size=10))
def test_what_differs_in_words_alone_is_made_twice(asked: list[tuple[str, str, str]]) -> None:
    """Lines break alike for all words of about one length: none of these is too long."""
    counted = _counted()
    for words in asked:
        assert counted.text("a", words, _printed) == _printed("a", words)
    assert counted.plainly == 2


def test_where_lines_may_break_texts_are_shared_by_words_of_one_length() -> None:
    counted = _counted()
    asked = [("x" * length, "y" * length, "z" * length) for length in range(1, 17) for _ in range(6)]
    assert [counted.text("a", words, _printed) for words in asked] == [_printed("a", words) for words in asked]
    assert counted.plainly < len(asked) / 2


@pytest.mark.parametrize(
    "printed",
    [
        lambda _, words: Made(words[0][:2] + words[1]),  # not whole
        lambda _, words: Made("".join(f"{ord(one):x}" for one in words[0])),  # not as it is
        lambda _, words: Made(f"{words[0] < 'm'}{words[0]}"),  # looked at
        lambda _, words: Made(f"{words[0]}{len(words[0])}"),  # measured
        lambda _, words: Made("nothing of it"),
        lambda key, words: _printed("unfit", words),
    ],
)
def test_other_words_are_never_filled_in(printed: Callable[[object, Sequence[str]], Made]) -> None:
    counted = _counted()
    asked = [("abcdef", "x"), ("abcdeg", "x"), ("abcdeh", "y"), ("abcdei", "z")] * 2
    assert [counted.text("a", words, printed) for words in asked] == [printed("a", words) for words in asked]


def test_what_comes_once_is_made_once() -> None:
    def make(_others: Sequence[str]) -> Made:
        raise AssertionError

    sheet = _counted().sheet
    assert {sheet.text(number, ["a"], make, lambda: Made("a")).text for number in range(20)} == {"a"}


def test_a_bare_object_knows_nothing_else() -> None:
    found = bare(Timeouts, connect=1.0)
    assert found.connect == 1.0
    for name in ("request", "provenance"):
        with pytest.raises(AttributeError):
            getattr(found, name)


def test_what_is_not_printed_alike_is_not_settled_alike() -> None:
    ports = [Address(host="a", port=port) for port in (1, True, 1.0, 1)]  # type: ignore[arg-type]
    texts = [settled(address) for address in ports]
    assert len(set(texts)) == 3 and texts[0] == texts[3]
    assert settled(Auth(providers=("a",), scopes=())) != settled(Auth(providers=(), scopes=("a",))) != settled(None)
