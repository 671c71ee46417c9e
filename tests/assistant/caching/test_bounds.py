"""Nothing that is kept grows for ever: each cache has its bound, and what goes first is what was used last long ago."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from assistant.caching.pairs import answer, key
from gwc_assistant.cache import CachedRetriever, ExactCache, SemanticCache, SemanticPolicy
from gwc_assistant.cache import semantic as semantic_cache
from gwc_assistant.domain import Passage, Question
from gwc_assistant.embedding import LexicalEmbedder


def test_answers_are_bounded_and_the_least_recently_used_goes_first() -> None:
    async def run() -> list[bool]:
        cache = ExactCache(2, 10, 10)
        await cache.keep(key("one"), (), answer())
        await cache.keep(key("two"), (), answer())
        await cache.exact(key("one"))
        await cache.keep(key("three"), (), answer())
        return [await cache.exact(key(text)) is not None for text in ("one", "two", "three")]

    assert asyncio.run(run()) == [True, False, True]


def test_an_answer_that_is_too_old_for_anything_is_let_go() -> None:
    clock = [0.0]

    async def run() -> None:
        cache = ExactCache(9, 10, 20, lambda: clock[0])
        await cache.keep(key("one"), (), answer())
        clock[0] = 29
        assert await cache.stale(key("one"), ()) is not None
        clock[0] = 31
        assert await cache.stale(key("one"), ()) is None
        assert len(cache._kept) == 0

    asyncio.run(run())


def test_the_lock_of_a_question_goes_with_the_last_who_wants_it() -> None:
    """Also where he is told to go while he waits."""

    async def run() -> None:
        cache = ExactCache(9, 10, 10)

        async def held(question: str) -> None:
            async with cache.alone(key(question)):
                await asyncio.sleep(0)

        await asyncio.gather(*(held(f"question {number % 5}") for number in range(50)))
        assert len(cache._locks) == 0
        async with cache.alone(key("one")):
            waiting = [asyncio.create_task(held("one")) for _ in range(3)]
            await asyncio.sleep(0)
            assert len(cache._locks) == 1
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
            assert len(cache._locks) == 1
        assert len(cache._locks) == 0

    asyncio.run(run())


def test_hits_that_only_count_wait_for_their_answers_in_a_bounded_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those whose model fails never come: nobody would take them away."""
    monkeypatch.setattr(semantic_cache, "_PENDING", 3)

    async def run() -> int:
        exact, policy = ExactCache(99, 10, 10), SemanticPolicy(0.0, 0.0, shadow=True)
        cache = SemanticCache(exact, LexicalEmbedder(), policy, entries=99, seconds=20)
        for user in map(str, range(9)):
            await cache.keep(key("Who was David's father?", user=user), (1,), answer())
            assert await cache.similar(key("Who is the father of David?", user=user), (1,)) is None
        return len(cache._shadowed)

    assert asyncio.run(run()) == 3


class Counted:
    """Retrieves nothing, and notes for whom."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def retrieve(self, question: Question) -> Sequence[Passage]:
        self.asked.append(question.text)
        return ()


def test_contexts_are_bounded_and_gone_with_the_text_that_they_are_of() -> None:
    retriever, corpus = Counted(), ["a"]

    async def run() -> None:
        cached = CachedRetriever(retriever, lambda: corpus[0], entries=2)
        for text in ("one", "two", "one", "three", "one", "two"):
            await cached.retrieve(Question("ann", text, "ASV"))
        assert retriever.asked == ["one", "two", "three", "two"]
        corpus[0] = "another"
        await cached.retrieve(Question("ann", "two", "ASV"))
        assert retriever.asked[-1] == "two"
        assert len(retriever.asked) == 5
        assert len(cached._kept) == 2

    asyncio.run(run())
