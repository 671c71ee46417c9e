"""L1: whose answers it gives, which it keeps, and what it does while it only watches."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import fields, replace

import pytest

from assistant.caching.pairs import answer, cache_with, key
from gwc_assistant.cache import ExactCache, SemanticCache, SemanticPolicy
from gwc_assistant.domain import Answer, Citation
from gwc_assistant.embedding import EmbeddingFailedError, LexicalEmbedder
from gwc_assistant.protocols import AnswerKey, Vector
from gwc_assistant.resilience import OverloadedError

ASKED, PARAPHRASED = "Who was David's father?", "Who is the father of David?"
PASSAGES = (1, 2, 3)


class Clock:
    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time


class Broken(LexicalEmbedder):
    def __init__(self, error: Exception) -> None:
        self.error = error

    async def embed(self, texts: Sequence[str]) -> Sequence[Vector]:
        raise self.error


class Other(LexicalEmbedder):
    id = "other"


def kept(cached: SemanticCache, *, at: AnswerKey | None = None, what: Answer | None = None) -> None:
    asyncio.run(cached.keep(at or key(ASKED), PASSAGES, what or answer()))


def similar(cached: SemanticCache, asked: AnswerKey, passages: Sequence[int] = PASSAGES) -> str | None:
    found = asyncio.run(cached.similar(asked, passages))
    return found.layer if found else None


def test_the_same_question_in_other_words() -> None:
    cached = cache_with(LexicalEmbedder())
    kept(cached, what=answer("Jesse."))
    found = asyncio.run(cached.similar(key(PARAPHRASED), PASSAGES))
    assert found is not None
    assert (found.layer, found.answer.text) == ("semantic", "Jesse.")
    assert asyncio.run(cached.exact(key(PARAPHRASED))) is None
    assert asyncio.run(cached.exact(key(ASKED.upper()))) is not None


@pytest.mark.parametrize("field", [field.name for field in fields(AnswerKey) if field.name != "question"])
def test_whatever_else_an_answer_depends_on_has_to_be_the_same(field: str) -> None:
    cached = cache_with(LexicalEmbedder())
    kept(cached)
    assert similar(cached, replace(key(PARAPHRASED), **{field: "another"})) is None
    assert asyncio.run(cached.exact(replace(key(ASKED), **{field: "another"}))) is None


def test_vectors_of_another_embedder_do_not_count() -> None:
    exact = ExactCache(10, 900, 900)
    policy = SemanticPolicy(0.2)
    one = SemanticCache(exact, LexicalEmbedder(), policy, entries=10, seconds=1)
    other = SemanticCache(exact, Other(), policy, entries=10, seconds=1)
    other._known = one._known  # as a shared store would have it
    kept(one)
    assert similar(one, key(PARAPHRASED)) == "semantic"
    assert similar(other, key(PARAPHRASED)) is None


@pytest.mark.parametrize(("passages", "hit"), [((1, 2, 3), True), ((3, *range(10, 17)), True), ((4, 5, 6), False)])
def test_guard_b_the_context_has_to_overlap(passages: tuple[int, ...], hit: bool) -> None:
    cached = cache_with(LexicalEmbedder())
    kept(cached)
    assert (similar(cached, key(PARAPHRASED), passages) == "semantic") is hit


def test_what_the_embedder_finds_unlike_is_no_hit() -> None:
    cached = cache_with(LexicalEmbedder(), SemanticPolicy(0.999))
    kept(cached)
    assert similar(cached, key(PARAPHRASED)) is None


@pytest.mark.parametrize(
    "poor", [answer(""), answer(" \n"), answer("Half", truncated=True), answer("Verses", degraded="extractive")]
)
def test_what_is_cut_or_second_best_is_never_kept(poor: Answer) -> None:
    cached = cache_with(LexicalEmbedder())
    kept(cached, what=poor)
    assert asyncio.run(cached.exact(key(ASKED))) is None
    assert similar(cached, key(PARAPHRASED)) is None
    assert asyncio.run(cached.stale(key(PARAPHRASED), PASSAGES)) is None


@pytest.mark.parametrize("error", [EmbeddingFailedError("x"), OverloadedError("x")])
def test_an_embedder_that_fails_is_a_miss(error: Exception) -> None:
    seen: list[str] = []
    cached = SemanticCache(
        ExactCache(9, 9, 9), Broken(error), SemanticPolicy(0.2), entries=9, seconds=9, observe=seen.append
    )
    kept(cached)
    assert similar(cached, key(PARAPHRASED)) is None
    assert seen == ["failed"]


def test_an_answer_past_its_time_stands_in_and_then_is_gone() -> None:
    clock = Clock()
    cached = SemanticCache(ExactCache(9, 10, 20, clock), LexicalEmbedder(), SemanticPolicy(0.2), entries=9, seconds=30)
    kept(cached)
    clock.time = 11
    assert similar(cached, key(PARAPHRASED)) is None
    found = asyncio.run(cached.stale(key(PARAPHRASED), PASSAGES))
    assert found is not None
    assert (found.layer, found.age) == ("stale", 11)
    clock.time = 31
    assert asyncio.run(cached.stale(key(PARAPHRASED), PASSAGES)) is None


@pytest.mark.parametrize(("theirs", "verdict"), [("1 Samuel 16:1", "shadow-agreed"), ("Ruth 4:17", "shadow-differed")])
def test_in_shadow_nothing_hits_and_answers_are_compared(theirs: str, verdict: str) -> None:
    seen: list[str] = []
    cached = SemanticCache(
        ExactCache(9, 10, 20),
        LexicalEmbedder(),
        SemanticPolicy(0.2, shadow=True),
        entries=9,
        seconds=30,
        observe=seen.append,
    )
    kept(cached, what=cites("1 Samuel 16:1"))
    assert similar(cached, key(PARAPHRASED)) is None
    assert asyncio.run(cached.stale(key(PARAPHRASED), PASSAGES)) is None
    kept(cached, at=key(PARAPHRASED), what=cites(theirs))
    assert seen == ["shadow-hit", verdict]


def cites(reference: str) -> Answer:
    return Answer("Jesse [1].", "m", (Citation(1, reference, "ASV", "..."),), (reference,))


def test_it_is_bounded() -> None:
    cached = SemanticCache(ExactCache(3, 9, 9), LexicalEmbedder(), SemanticPolicy(0.2), entries=3, seconds=9)
    for number in range(100):
        kept(cached, at=key(f"Who is king {number}?"))
    for times in range(1, 50):
        kept(cached, at=key(f"Who is{' ' * times}the king?"))
    assert len(cached._known) == 3
    assert max(map(len, cached._known.values())) <= 8


def test_one_makes_the_answer_and_the_others_wait() -> None:
    async def stampede() -> int:
        cached = cache_with(LexicalEmbedder())
        made = 0

        async def ask() -> None:
            nonlocal made
            async with cached.alone(key(ASKED)):
                if await cached.exact(key(ASKED)) is None:
                    await asyncio.sleep(0.01)
                    made += 1
                    await cached.keep(key(ASKED), PASSAGES, answer())

        await asyncio.gather(*(ask() for _ in range(50)))
        return made

    assert asyncio.run(stampede()) == 1
