"""What a question asks, so strictly that two questions with one signature have the same answer.

Vectors cannot tell a question from its neighbour: `John 3:16` and `John 3:17`, `allowed` and `forbidden`, `Cain killed
Abel` and `Abel killed Cain` are closer to each other than many paraphrases are. So every word counts here that is
neither grammar nor a phrase that merely asks, and so does their order. What is not understood is different: that costs
a cached answer, and never gives a wrong one.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files

from gwc_assistant.cache import grammar
from gwc_assistant.corpus.references import without_references
from gwc_assistant.words import stem

REFERENCE = "reference"
"""Stands in the words for each reference, so that its place in the sentence counts, too."""

_TOKEN = re.compile(r"[^\W_]+(?:'[^\W_]+)*'?")
_FRONTED = re.compile(r"^((?:on|in|at|after|before|during|according to|when) [^,]+), (.+)$", re.IGNORECASE)
_FIRST_PERSON = re.compile(r"\bI\b(?!\.? ?(?:Sam|Kin|Chr|Cor|The|Tim|Pet|Joh|Jn))")  # elsewhere it would be a Roman one
_CHAPTER = re.compile(r"(?<=[a-z]),? chapters? (?=\d)", re.IGNORECASE)
_VERSE = re.compile(r"(?<=\d),? verses? (?=\d)", re.IGNORECASE)
_WIDENING = frozenset({"first", "second", "third", "last", "only", "own", "oldest", "youngest", "eldest", "great"})
_UNCOUNTED = grammar.SILENT | grammar.NEGATIONS | {"and"}
_POINTING = frozenset({"it", "this", "these", "those", "they", "he", "she", "we", "you", "there", "do", "have"})


@dataclass(frozen=True, slots=True)
class Signature:
    """`references` as first and last verse. Everything is in the order of the sentence."""

    references: tuple[tuple[int, int], ...]
    numbers: tuple[str, ...]
    negations: tuple[str, ...]
    form: tuple[str, ...]
    words: tuple[str, ...]

    @property
    def empty(self) -> bool:
        """Nothing is left to tell it by: `and why?` rests on what was said before, and resembles nothing."""
        return not (self.references or set(self.words) - _POINTING)


@lru_cache(maxsize=1000)
def signature(question: str) -> Signature:
    spans, rest = without_references(_plain(question), REFERENCE)
    tokens = _rewritten(" ".join(_possessives(_tokens(_fronted(rest)))))
    return Signature(
        references=tuple((span.first, span.last) for span in spans),
        numbers=tuple(value for token in tokens if (value := grammar.number(token))),
        negations=tuple(token for token in tokens if token in grammar.NEGATIONS),
        form=grammar.form(tokens),
        words=tuple(_canonical(token) for token in _paired(_without_auxiliary(tokens)) if _counts(token)),
    )


def _without_auxiliary(tokens: list[str]) -> list[str]:
    place = grammar.auxiliary(tokens)
    return [token for at, token in enumerate(tokens) if at != place]


def _plain(question: str) -> str:
    """One kind of apostrophe, of space and of reference; no punctuation at the end."""
    text = unicodedata.normalize("NFKC", question).replace("\u2019", "'")
    text = _FIRST_PERSON.sub("we", re.sub(r"\s+", " ", text).strip(' .?!"'))
    return _VERSE.sub(":", _CHAPTER.sub(" ", text))


def _fronted(text: str) -> str:
    """`On the first day, what did God create` asks at its end."""
    return _FRONTED.sub(r"\2 \1", text)


def _tokens(text: str) -> list[str]:
    """Contractions written out: what then has an apostrophe owns something. Capitals stay, for they tell names."""
    for pattern, other in grammar.CONTRACTIONS:
        text = pattern.sub(other, text)
    return _TOKEN.findall(text)


def _possessives(tokens: list[str]) -> list[str]:
    """`King David's father` becomes `father of King David`."""
    done: list[str] = []
    ahead = list(tokens)
    while ahead:
        token = ahead.pop(0)
        owner = _owner(token)
        if not owner or not ahead or ahead[0].lower() in grammar.BOUNDARIES:
            done.append(owner or token)
            continue
        start = _start_of_name(done) if owner[0].isupper() else len(done)
        name, done = [*done[start:], owner], done[:start]
        done += [*_owned(ahead), "of", *name]
    return [token.lower() for token in done]


def _owner(token: str) -> str:
    """Empty where the token owns nothing; `God's word` is a name of the text."""
    if token.endswith("'s"):
        return token[:-2]
    return token[:-1] if token.endswith("s'") else token.rstrip("'") if token.endswith("'") else ""


def _start_of_name(done: list[str]) -> int:
    """Where the name begins that `done` ends with: capitals, and `the` between them, as in John the Baptist."""
    start = len(done)
    while start and done[start - 1].lower() not in grammar.BOUNDARIES and done[start - 1][0].isupper():
        start -= 1
    before = done[start - 2] if start > 1 and done[start - 1] == "the" else ""
    return start - 2 if before[:1].isupper() and before.lower() not in grammar.BOUNDARIES else start


def _owned(ahead: list[str]) -> list[str]:
    """Takes one word off, with those that only widen it."""
    owned = [ahead.pop(0)]
    while ahead and owned[-1].lower() in _WIDENING:
        owned.append(ahead.pop(0))
    return owned


def _rewritten(text: str) -> list[str]:
    for pattern, other in grammar.REWRITINGS:
        text = re.sub(r" +", " ", pattern.sub(other, text)).strip()
    return text.split()


def _paired(tokens: list[str]) -> list[str]:
    """`widows and orphans` are `orphans and widows`, where nothing follows that only one of them may do."""
    done = list(tokens)
    for place in range(1, len(done) - 1):
        ends = place + 2 == len(done) or done[place + 2] in grammar.LINKING
        if done[place] == "and" and ends:
            done[place - 1], done[place + 1] = sorted((done[place - 1], done[place + 1]))
    return done


def _counts(token: str) -> bool:
    """Numbers and negations have places of their own."""
    return token not in _UNCOUNTED and not grammar.number(token)


def _canonical(token: str) -> str:
    return grammar.SAME.get(token) or _synonyms().get(token) or _synonyms().get(stem(token)) or stem(token)


@cache
def _synonyms() -> dict[str, str]:
    """Each word and its stem to the stem of the first of its group. Raises ValueError for a word in two groups."""
    found: dict[str, str] = {}
    for line in files("gwc_assistant.cache").joinpath("synonyms.txt").read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        first = stem(line.split()[0])
        for word in {*line.split(), *map(stem, line.split())}:
            if found.setdefault(word, first) != first:
                raise ValueError(f"synonyms.txt has {word} in two groups")
    return found
