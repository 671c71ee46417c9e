"""Vectors of letters: stems of words and pieces of them, hashed. No model, no dependency, no meaning."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from zlib import crc32

from gwc_assistant.protocols import Vector
from gwc_assistant.words import stem, words

DIMENSIONS = 256
_PIECE = 0.3  # what a piece of a word weighs beside a whole one: enough for other spellings, too little for rhymes


class LexicalEmbedder:
    """Always there and always ready; some ten microseconds a word. `span` is around each call."""

    id = f"lexical-{DIMENSIONS}-1"
    dimensions = DIMENSIONS
    semantic = False

    def __init__(self, span: Callable[[], AbstractContextManager[object]] = nullcontext) -> None:
        self._span = span

    async def warm_up(self) -> None:
        """Nothing to load."""

    async def aclose(self) -> None:
        """Nothing is held."""

    async def embed(self, texts: Sequence[str]) -> Sequence[Vector]:
        with self._span():
            return [vector(text) for text in texts]


def vector(text: str) -> Vector:
    """All zero for a text without words: it resembles nothing, not even itself."""
    sums = [0.0] * DIMENSIONS
    for feature, weight in _features(text):
        hashed = crc32(feature.encode())
        sums[hashed % DIMENSIONS] += weight if hashed & 0x8000_0000 else -weight
    length = math.sqrt(sum(value * value for value in sums)) or 1.0
    return array("f", (value / length for value in sums))


def _features(text: str) -> Iterator[tuple[str, float]]:
    for word in words(text.lower()):
        yield stem(word), 1.0
        padded = f"<{word}>"
        for start in range(len(padded) - 2):
            yield padded[start : start + 3], _PIECE
