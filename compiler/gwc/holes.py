"""Texts that differ in words alone: made once with holes, and filled in for all that are alike.

Who makes a text says which words it takes, and by what `key` all else of it follows. The text with holes comes about by
making it from words that nobody writes, twice: of other characters, and once as long and once as short as words of the
kind are. Where both have the same holes in the same text, so it is for every length between. Where they do not, or
where filling in does not give the text that is made plainly, it is made plainly each time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Sequence
from dataclasses import fields
from itertools import count
from operator import attrgetter, is_not, itemgetter
from typing import Any, NamedTuple, TypeVar

from gwc.ir import Gateway, Node
from gwc.parts import Made


class Number(NamedTuple):
    """A number among the words. It is printed as `text`, and is one of those between `least` and `most`, which nobody
    treats differently."""

    text: str
    least: float
    most: float


Word = str | Number
Make = Callable[[Sequence[Any]], Made]
"""The text that follows from words, which are only ever put into it, as they are."""

_T = TypeVar("_T")
_ALPHABETS = (0xE000, 0xF000)
"""Private use: no text of ours has them. What a policy has of one of them is no hole with the other."""
_MOST_WORDS = 256
_ABOUT = 8
"""Words of about the same length share a text with holes: most lines break alike with them."""
_ANY = 1 << 30
"""As long as no word is."""


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


def _signs(escaped: str, first: int) -> re.Pattern[str]:
    """Finds one sign after the other, escaped with hexadecimal digits, or as it is; equal neighbours together."""
    return re.compile(f"({re.escape(escaped[:-2])}[0-9A-Fa-f]{{2}}|[{chr(first)}-{chr(first + _MOST_WORDS - 1)}])\\1*")


class Sheet:
    """The texts with holes of one kind, by what they follow from."""

    def __init__(self, escape: Callable[[str], str], most: int = 1024, *, measured: bool = True) -> None:
        """`escape` is how a word stands in a text, each character by itself. At most so many texts are kept. Of words
        that are not `measured`, nothing counts but whether they are empty."""
        self._escape, self._most, self._steps = escape, most, (_ABOUT, 1) if measured else (_ANY,)
        self._signs = [_signs(escape(chr(first)), first) for first in _ALPHABETS]
        self._known: dict[Hashable, _Template | None] = {}
        self._met: set[Hashable] = set()

    def text(self, key: Hashable, words: Sequence[Word], make: Make, plainly: Callable[[], Made]) -> Made:
        """What is made `plainly`: it follows from `key` and `words`, which stand in it as others in `make(others)`."""
        for step in self._steps:
            shape = (key, step, *[-(-len(word) // step) for word in words])
            if shape not in self._known:
                return self._learned(shape, step, words, make, plainly())
            if (found := self._known[shape]) is not None:
                return Made(found.filled(self._printed(words)))
        return plainly()

    def _learned(self, shape: Hashable, step: int, words: Sequence[Word], make: Make, made: Made) -> Made:
        """What comes only once is not worth a text with holes."""
        if len(self._known) >= self._most:
            self._known.clear()
        if len(self._met) >= 8 * self._most:
            self._met.clear()
        if shape in self._met:
            self._known[shape] = self._template(step, words, make, made)
        self._met.add(shape)
        return made

    def _template(self, step: int, words: Sequence[Word], make: Make, made: Made) -> _Template | None:
        if len(words) > _MOST_WORDS or not made.fit:
            return None
        long, short = (self._cut(words, short, step, make) for short in (False, True))
        if long is None or long != short:
            return None
        template = _Template(*long)
        return template if template.filled(self._printed(words)) == made.text else None

    def _printed(self, words: Sequence[Word]) -> list[str]:
        return [self._escape(word) if type(word) is str else word[0] for word in words]

    def _cut(self, words: Sequence[Word], short: bool, step: int, make: Make) -> tuple[list[str], list[int]] | None:
        """The text between the holes, and whose each of them is."""
        first = _ALPHABETS[short]
        holes = [_hole(chr(first + index), word, short, step) for index, word in enumerate(words)]
        made = make(holes)
        if not made.fit:
            return None
        texts, order, at = list[str](), list[int](), 0
        for run in self._signs[short].finditer(made.text):
            index = ord(run[1]) - first if len(run[1]) == 1 else int(run[1][-2:], 16)
            hole = holes[index] if index < len(holes) else ""
            whole = len(run[1]) * (len(hole) if type(hole) is str else 1)
            if not whole or len(run[0]) % whole:
                return None
            for end in range(run.start(), run.end(), whole):
                texts.append(made.text[at:end])
                order.append(index)
                at = end + whole
        return ([*texts, made.text[at:]], order) if order else None


def _hole(sign: str, word: Word, short: bool, step: int) -> str | _Whole | _Broken:
    """What stands for a word: as short or as long, as small or as large as any of its kind."""
    if isinstance(word, Number):
        value = word.least if short else word.most
        number: _Whole | _Broken = _Whole(value, sign) if type(value) is int else _Broken(value, sign)
        return number
    longest = min(-(-len(word) // step) * step, len(word) + _ABOUT)
    return sign * (max(longest - min(step, _ABOUT) + 1, min(longest, 1)) if short else longest)


class _Sign:
    """A number that is printed as a sign, and equal to nothing else."""

    def __new__(cls, value: float, sign: str) -> Any:
        found = super().__new__(cls, value)  # type: ignore[call-arg]
        found.sign = sign  # type: ignore[attr-defined]
        return found

    def __str__(self) -> str:
        return self.sign  # type: ignore[attr-defined,no-any-return]

    def __format__(self, _how: str) -> str:
        return str(self)

    def is_integer(self) -> bool:
        """Nobody takes the sign for digits."""
        return False

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)


class _Whole(_Sign, int):
    """Of whole numbers."""


class _Broken(_Sign, float):
    """Of others."""


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


_PLATFORM = attrgetter(*(one.name for one in fields(Gateway) if one.name not in ("services", "provenance")))
_numbers = count()
_last: tuple[tuple[object, ...], int] = ((), -1)


def platform(gateway: Gateway) -> int:
    """A number of the platform, which is known by identity."""
    global _last
    values = _PLATFORM(gateway)
    if len(_last[0]) != len(values) or any(map(is_not, values, _last[0])):
        _last = (values, next(_numbers))
    return _last[1]
