"""Texts that differ in words alone: made once with holes, and filled in for all that are alike.

Who makes a text says which words it takes, and by what `key` all else of it follows. The text with holes comes about by
making it from words that nobody writes, twice: of other characters, and once as long and once as short as words of the
kind are. Where both have the same holes in the same text, so it is for every length between. Where they do not, or
where filling in does not give the text that is made plainly, it is made plainly each time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Sequence
from operator import itemgetter
from typing import TypeVar

from gwc.ir import Node
from gwc.parts import Made

Make = Callable[[Sequence[str]], Made]
"""The text that follows from words, which are only ever put into it, as they are."""

_T = TypeVar("_T")
_ALPHABETS = (0xE000, 0xF000)
"""Private use: no text of ours has them. What a policy has of one of them is no hole with the other."""
_MOST_WORDS = 256
_ABOUT = 8
"""Words of about the same length share a text with holes: most lines break alike with them."""


class _Template:
    """Of `texts`, every second is a hole; `order` says whose."""

    __slots__ = ("_pick", "_texts")

    def __init__(self, texts: Sequence[str], order: Sequence[int]) -> None:
        self._texts = [one for text in texts for one in (text, "")][:-1]
        self._pick = itemgetter(*order) if len(order) > 1 else lambda words: [words[index] for index in order]

    def filled(self, words: Sequence[str]) -> str:
        texts = self._texts.copy()
        texts[1::2] = self._pick(words)
        return "".join(texts)


class Sheet:
    """The texts with holes of one kind, by what they follow from."""

    def __init__(self, escape: Callable[[str], str], most: int = 1024) -> None:
        """`escape` is how a word stands in a text, each character by itself. At most so many texts are kept."""
        self._escape, self._most = escape, most
        self._known: dict[Hashable, _Template | None] = {}
        self._met: set[Hashable] = set()

    def text(self, key: Hashable, words: Sequence[str], make: Make, plainly: Callable[[], Made]) -> Made:
        """What is made `plainly`: it follows from `key` and `words`, which stand in it as others in `make(others)`."""
        for step in (_ABOUT, 1):
            shape = (key, step, *[-(-len(word) // step) for word in words])
            if shape not in self._known:
                return self._learned(shape, step, words, make, plainly())
            if (found := self._known[shape]) is not None:
                return Made(found.filled([*map(self._escape, words)]))
        return plainly()

    def _learned(self, shape: Hashable, step: int, words: Sequence[str], make: Make, made: Made) -> Made:
        """What comes only once is not worth a text with holes."""
        if len(self._known) >= self._most:
            self._known.clear()
        if len(self._met) >= 8 * self._most:
            self._met.clear()
        if shape in self._met:
            self._known[shape] = self._template(step, words, make, made)
        self._met.add(shape)
        return made

    def _template(self, step: int, words: Sequence[str], make: Make, made: Made) -> _Template | None:
        if len(words) > _MOST_WORDS or not made.fit:
            return None
        longest = [-(-len(word) // step) * step for word in words]
        shortest = [max(length - step + 1, 0) for length in longest]
        long, short = (self._cut(*one, make) for one in zip(_ALPHABETS, (longest, shortest), strict=True))
        if long is None or long != short:
            return None
        template = _Template(*long)
        return template if template.filled([*map(self._escape, words)]) == made.text else None

    def _cut(self, first: int, lengths: Sequence[int], make: Make) -> tuple[list[str], list[int]] | None:
        """The text between the holes, and whose each of them is."""
        words = [chr(first + index) * length for index, length in enumerate(lengths)]
        holes = {self._escape(word): index for index, word in enumerate(words) if word}
        made = make(words)
        if not made.fit or not holes:
            return None
        pieces = re.split(f"({'|'.join(map(re.escape, holes))})", made.text)
        return pieces[::2], [holes[hole] for hole in pieces[1::2]]


def bare(kind: type[_T], **values: object) -> _T:
    """An object that has these values and nothing else: whoever asks it for more meets an AttributeError."""
    found = object.__new__(kind)
    for name, value in values.items():
        object.__setattr__(found, name, value)
    return found


_MOST_NODES = 4096
_settled: dict[int, tuple[object, str]] = {}
_texts: dict[str, str] = {}


def settled(node: Node | None) -> str:
    """All values of a node, and not where they were written. Those that are equal but not printed alike differ."""
    if node is None:
        return ""
    values = vars(node)
    known = _settled.get(id(values))
    if known is None:
        if len(_settled) >= _MOST_NODES:
            _settled.clear()
            _texts.clear()
        text = repr(node)
        known = _settled[id(values)] = values, _texts.setdefault(text, text)
    return known[1]
