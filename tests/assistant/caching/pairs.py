"""Reads the labelled pairs, and asks a semantic cache about them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import yaml

from gwc_assistant.ask import LexicalRetriever
from gwc_assistant.cache import ExactCache, SemanticCache, SemanticPolicy
from gwc_assistant.cache.semantic import CLOSENESS
from gwc_assistant.corpus import Corpus
from gwc_assistant.domain import Answer, Question
from gwc_assistant.protocols import AnswerKey, Embedder

Part = Literal["tuning", "held_out"]
PARTS: tuple[Part, ...] = ("tuning", "held_out")


@dataclass(frozen=True)
class Pair:
    kind: str
    one: str
    other: str

    @property
    def same(self) -> bool:
        return self.kind == "paraphrase"


@cache
def pairs(part: Part) -> tuple[Pair, ...]:
    document = yaml.safe_load(Path(__file__).with_name("pairs.yaml").read_text(encoding="utf-8"))
    return tuple(Pair(kind, *line.split(" | ")) for kind, lines in document[part].items() for line in lines)


def questions(part: Part) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for pair in pairs(part) for text in (pair.one, pair.other)))


def key(question: str, user: str = "ada", **other: str) -> AnswerKey:
    parts = {"model": "m", "prompt": "ask@1:0", "corpus": "c", "version": "ASV", "context": "", **other}
    return AnswerKey(user=user, question=question, **parts)


def answer(text: str = "Because.", **other: object) -> Answer:
    return Answer(text, "m", (), (), **other)  # type: ignore[arg-type]


def cache_with(embedder: Embedder, policy: SemanticPolicy | None = None) -> SemanticCache:
    """Of one process, as it is by default."""
    chosen = policy or SemanticPolicy(CLOSENESS[embedder.semantic])
    return SemanticCache(ExactCache(1000, 900, 900), embedder, chosen, entries=1000, seconds=1800)


class Lookups:
    """Retrieval as the service does it, over the real text."""

    def __init__(self, directory: Path, embedder: Embedder) -> None:
        self._corpus, self.embedder = Corpus(directory), embedder
        self._corpus.open()
        self._retriever = LexicalRetriever(self._corpus, 8)
        self._known: dict[str, tuple[int, ...]] = {}

    async def passages(self, question: str) -> tuple[int, ...]:
        if question not in self._known:
            self._known[question] = await self._retrieved(question)
        return self._known[question]

    async def _retrieved(self, question: str) -> tuple[int, ...]:
        found = await self._retriever.retrieve(Question("ada", question, "ASV"))
        return tuple(verse.id for passage in found for verse in passage.verses)

    async def hit(self, kept: str, asked: str) -> bool:
        """Whether the answer to one is given to the other."""
        cached = cache_with(self.embedder)
        await cached.keep(key(kept), await self.passages(kept), answer())
        return await cached.similar(key(asked), await self.passages(asked)) is not None

    async def hits(self, some: Sequence[Pair]) -> list[Pair]:
        """Pairs of which one question got the answer to the other, whichever came first."""
        return [p for p in some if await self.hit(p.one, p.other) or await self.hit(p.other, p.one)]

    async def aclose(self) -> None:
        await self._corpus.aclose()


def kinds(some: Sequence[Pair]) -> Iterator[tuple[str, int]]:
    for kind in dict.fromkeys(pair.kind for pair in some):
        yield kind, sum(pair.kind == kind for pair in some)
