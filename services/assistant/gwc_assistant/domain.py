"""The words of the domain: verses, questions, answers. Immutable, without behaviour that reaches outside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Layer = Literal["exact", "semantic", "stale", "miss"]
"""Where an answer came from; the value of `X-Assistant-Cache`."""


@dataclass(frozen=True, slots=True)
class Verse:
    """`id` is the same for a verse in every version: book, chapter and verse as BBCCCVVV."""

    id: int
    version: str
    book: str
    chapter: int
    verse: int
    text: str

    @property
    def reference(self) -> str:
        return f"{self.book} {self.chapter}:{self.verse}"


@dataclass(frozen=True, slots=True)
class Passage:
    """Verses that stand together, under the reference that names them. `named`: the question itself names it."""

    reference: str
    version: str
    verses: tuple[Verse, ...]
    named: bool = False

    @property
    def text(self) -> str:
        return " ".join(verse.text for verse in self.verses)


@dataclass(frozen=True, slots=True)
class Hit:
    """A verse that a search found. Scores compare within one search only; higher is better."""

    verse: Verse
    score: float


@dataclass(frozen=True, slots=True)
class Turn:
    role: Literal["user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Question:
    """`version` names a version of the corpus. `allow_degraded`: whether a fallback's answer is welcome."""

    user: str
    text: str
    version: str
    conversation: tuple[Turn, ...] = ()
    notes: tuple[str, ...] = ()
    allow_degraded: bool = True


@dataclass(frozen=True, slots=True)
class Citation:
    """`marker` is the number by which the answer's text refers to it: `[1]`."""

    marker: int
    reference: str
    version: str
    text: str


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """`estimated`: counted by characters here, because the model's server reported nothing."""

    input_tokens: int
    output_tokens: int
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """`degraded` names the reason why this is a fallback's answer, empty for none. `truncated`: the model was cut."""

    text: str
    model: str
    citations: tuple[Citation, ...]
    context: tuple[str, ...]
    degraded: str = ""
    truncated: bool = False

    @property
    def keepable(self) -> bool:
        """Whether a cache may keep it: what is cut or second best must not outlive the moment."""
        return not (self.degraded or self.truncated) and bool(self.text.strip())
