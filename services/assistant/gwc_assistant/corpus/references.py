"""References as people write them, to spans of verses. pythonbible's parser, with its known slips mended."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pythonbible
from pythonbible.normalized_reference import NormalizedReference
from pythonbible.parser import normalize_reference
from pythonbible.regular_expressions import SCRIPTURE_REFERENCE_REGULAR_EXPRESSION
from pythonbible.roman_numeral_util import convert_all_roman_numerals_to_integers

MAX_CHARACTERS = 200
"""Of a reference in an address. Longer ones are no references, and parsing them costs time."""

_DASHES = str.maketrans(dict.fromkeys("‐‑‒–—−", "-"))  # noqa: RUF001 - all the dashes that ranges are written with

_SPACED = re.compile(r"([A-Za-z]\.?\s*\d{1,3})[ \t]+(\d{1,3})\b(?!\s*[A-Za-z:.]|\d)")
"""`joh 3 16`, which the parser reads as the whole chapter. Not `1 Cor 13`, nor the first half of `Gen 1 1 John 2`."""

_WITH_VERSE = re.compile(r"[A-Za-z]\.?\s*\d{1,3}\s*[:.]\s*\d")
_WITH_CHAPTER = re.compile(r"[A-Z][a-z]{2,}[a-z ]*\.?\s*\d")


@dataclass(frozen=True, slots=True)
class Span:
    """Verses from `first` to `last`, both ids included, and the name that people know them by."""

    name: str
    first: int
    last: int


def parse(text: str) -> tuple[Span, ...]:
    """The spans that `text` names, in its order; empty when any part of it is no reference that exists."""
    if len(text) > MAX_CHARACTERS:
        return ()
    clean = _clean(text)
    found: list[Span] = []
    for match in SCRIPTURE_REFERENCE_REGULAR_EXPRESSION.finditer(clean):
        references = normalize_reference(match[0])
        if len(references) != 1 + match[0].count(","):
            return ()  # the parser leaves out what does not exist: `John 3:16,99` would be John 3:16
        found += map(_span, references)
    left = SCRIPTURE_REFERENCE_REGULAR_EXPRESSION.sub("", clean)
    return () if re.search(r"\w", left) else tuple(found)


def mentioned(text: str) -> tuple[Span, ...]:
    """The spans that a sentence speaks of. A book needs a chapter beside it: `Mark` and `Job` are words, too."""
    return without_references(text, "")[0]


def without_references(text: str, stand_in: str) -> tuple[tuple[Span, ...], str]:
    """What `mentioned` says, and the sentence with `stand_in` in the place of each reference."""
    found: list[Span] = []

    def replaced(match: re.Match[str]) -> str:
        if not (_WITH_VERSE.search(match[0]) or _WITH_CHAPTER.search(match[0])):
            return match[0]
        found.extend(map(_span, normalize_reference(match[0])))
        return f" {stand_in} "

    rest = SCRIPTURE_REFERENCE_REGULAR_EXPRESSION.sub(replaced, _clean(text))
    return tuple(dict.fromkeys(found)), rest


def _clean(text: str) -> str:
    arabic: str = convert_all_roman_numerals_to_integers(text.translate(_DASHES))
    return _SPACED.sub(r"\1:\2", arabic)


def _span(reference: NormalizedReference) -> Span:
    verses = pythonbible.convert_reference_to_verse_ids(reference)
    return Span(pythonbible.format_scripture_references([reference]), verses[0], verses[-1])
