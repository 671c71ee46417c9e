"""Answers that several processes share, in Debian's Redis; and what is left while it is away."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from array import array
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import TypeVar

import pytest

pytest.importorskip("redis")

from assistant.caching.pairs import answer, key
from gwc_assistant.cache import ExactCache, SemanticCache, SemanticPolicy, SharedCache
from gwc_assistant.domain import Answer, Citation
from gwc_assistant.embedding import CachedEmbedder, LexicalEmbedder
from gwc_assistant.protocols import Vector
from gwc_assistant.store import Store, named
from gwc_assistant.store.redis import RedisStore
from ratelimit_double import Redis, redis_missing

T = TypeVar("T")
ASKED, PARAPHRASED = "Who was David's father?", "Who is the father of David?"
JESSE = Answer("Jesse [1].", "m", (Citation(1, "1 Samuel 16:1", "ASV", "…"),), ("1 Samuel 16:1",))


@pytest.fixture(scope="module")
def redis() -> Iterator[Redis]:
    if missing := redis_missing():
        pytest.skip(missing)
    server = Redis().start()
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def empty(redis: Redis) -> None:
    redis.command("FLUSHALL")


def exact(store: Store, *, ttl: float = 900, now: Callable[[], float] = time.time) -> SharedCache:
    """As another process would have it: nothing is in its own memory."""
    return SharedCache(ExactCache(100, ttl, 900), store, ttl, 900, now)


def process(store: Store) -> SemanticCache:
    policy = SemanticPolicy(0.2)
    return SemanticCache(exact(store), LexicalEmbedder(), policy, entries=100, seconds=1800, shared=store)


def with_store(url: str, work: Callable[[RedisStore], Awaitable[T]], timeout: float = 5) -> T:
    async def run() -> T:
        store = RedisStore(url, timeout=timeout)
        try:
            return await work(store)
        finally:
            await store.aclose()

    return asyncio.run(run())


def test_what_one_process_has_answered_the_others_know(redis: Redis) -> None:
    async def work(store: RedisStore) -> None:
        await process(store).keep(key(ASKED), (1, 2), JESSE)
        same = await process(store).exact(key(ASKED.upper()))
        alike = await process(store).similar(key(PARAPHRASED), (1, 2))
        assert same is not None
        assert alike is not None
        assert (same.answer, same.layer) == (JESSE, "exact")
        assert (alike.answer, alike.layer) == (JESSE, "semantic")
        assert await process(store).exact(key(ASKED, user="another")) is None
        assert await process(store).similar(key(PARAPHRASED, user="another"), (1, 2)) is None
        assert await process(store).similar(key(PARAPHRASED), (8, 9)) is None

    with_store(redis.url, work)


def test_ages_are_the_same_for_all(redis: Redis) -> None:
    clock = [1000.0]

    async def work(store: RedisStore) -> None:
        await exact(store, ttl=10, now=lambda: clock[0]).keep(key(ASKED), (), JESSE)
        clock[0] += 11
        other = exact(store, ttl=10, now=lambda: clock[0])
        assert await other.exact(key(ASKED)) is None
        found = await other.stale(key(ASKED), ())
        assert found is not None
        assert (found.layer, found.age) == ("stale", 11)

    with_store(redis.url, work)
    assert 0 < redis.command("PTTL", *redis.command("KEYS", "*")[0].decode().split()) <= 910_000


def test_poor_answers_are_not_shared(redis: Redis) -> None:
    async def work(store: RedisStore) -> None:
        for poor in (answer("Half", truncated=True), answer("Verses", degraded="extractive"), answer("")):
            await process(store).keep(key(ASKED), (1,), poor)

    with_store(redis.url, work)
    assert redis.command("DBSIZE") == 0


def test_names_tell_nothing_and_everything_ends(redis: Redis) -> None:
    async def work(store: RedisStore) -> None:
        await process(store).keep(key(ASKED, user="ada@example.com"), (1,), JESSE)

    with_store(redis.url, work)
    names = [name.decode() for name in redis.command("KEYS", "*")]
    assert len(names) == 2
    assert all(name.startswith("gwc:") and "ada" not in name and "David" not in name for name in names)
    assert all(redis.command("PTTL", name) > 0 for name in names)


def test_what_another_release_wrote_is_a_miss(redis: Redis) -> None:
    async def work(store: RedisStore) -> None:
        one = process(store)
        await one.keep(key(ASKED), (1,), JESSE)
        for name in redis.command("KEYS", "*"):
            kind = redis.command("TYPE", name.decode())
            redis.command("DEL", name.decode())
            redis.command(*(("SET", name.decode(), "[]") if kind == b"string" else ("LPUSH", name.decode(), "7")))
        assert await process(store).exact(key(ASKED)) is None
        assert await process(store).similar(key(PARAPHRASED), (1,)) is None

    with_store(redis.url, work)


def test_vectors_are_shared_and_a_damaged_one_is_made_anew(redis: Redis) -> None:
    async def work(store: RedisStore) -> list[Sequence[Vector]]:
        seen: list[tuple[int, int]] = []
        first, second, third = (
            CachedEmbedder(LexicalEmbedder(), 10, store, lambda *counts: seen.append(counts)) for _ in range(3)
        )
        made = await first.embed(["grace"])
        shared = await second.embed(["grace"])
        assert seen == [(0, 1), (1, 0)]
        await store.set(named("vector", LexicalEmbedder.id, "grace"), array("f", [1, 2]).tobytes(), 60)
        again = await third.embed(["grace"])
        assert seen[2:] == [(0, 1)]
        return [made, shared, again]

    made, shared, again = with_store(redis.url, work)
    assert made == shared == again


def test_one_process_makes_the_answer_and_the_others_wait(redis: Redis) -> None:
    made = 0

    async def ask(cached: SemanticCache) -> None:
        nonlocal made
        async with cached.alone(key(ASKED)):
            if await cached.exact(key(ASKED)) is None:
                await asyncio.sleep(0.1)
                made += 1
                await cached.keep(key(ASKED), (1,), JESSE)

    async def work(store: RedisStore) -> None:
        processes = [process(store) for _ in range(4)]
        await asyncio.gather(*(ask(one) for one in processes for _ in range(5)))

    with_store(redis.url, work)
    assert made == 1
    assert redis.command("KEYS", "*:lock") == []


def test_a_lock_ends_with_its_time_and_nobody_frees_another_ones(redis: Redis) -> None:
    async def work(store: RedisStore) -> None:
        async with store.alone("lock", 0.2):
            async with asyncio.timeout(5), store.alone("lock", 5):
                pass
            async with store.alone("lock", 5):
                pass
        async with asyncio.timeout(5), store.alone("lock", 0.1):
            await asyncio.sleep(0.15)
            redis.command("SET", "lock", "somebody")
        assert redis.command("GET", "lock") == b"somebody"

    with_store(redis.url, work)


def test_a_list_keeps_the_newest_and_each_once(redis: Redis) -> None:
    async def work(store: RedisStore) -> Sequence[bytes]:
        for value in (b"1", b"2", b"3", b"2", b"4"):
            await store.push("list", value, 60, 3)
        return await store.pushed("list")

    assert with_store(redis.url, work) == [b"4", b"2", b"3"]


def test_without_redis_each_process_has_its_own_and_none_waits_for_it() -> None:
    if missing := redis_missing():
        pytest.skip(missing)
    away = Redis()

    async def work(store: RedisStore) -> float:
        one, other = process(store), process(store)
        started = time.monotonic()
        async with one.alone(key(ASKED)):
            await one.keep(key(ASKED), (1,), JESSE)
        assert await one.exact(key(ASKED)) is not None
        assert await one.similar(key(PARAPHRASED), (1,)) is not None
        assert await other.exact(key(ASKED)) is None
        assert await other.stale(key(ASKED), (1,)) is None
        for _ in range(100):
            await other.exact(key(ASKED))
        assert store.breaker.state == "open"
        return time.monotonic() - started

    assert with_store(away.url, work, timeout=0.25) < 3


def test_a_redis_that_hangs_costs_a_few_timeouts_and_is_asked_again_later(redis: Redis) -> None:
    async def work(store: RedisStore) -> None:
        os.kill(redis.pid, signal.SIGSTOP)
        try:
            started = time.monotonic()
            for _ in range(50):
                assert await store.get("name") is None
            assert time.monotonic() - started < 3
        finally:
            os.kill(redis.pid, signal.SIGCONT)
        assert store.breaker.state == "open"
        await asyncio.sleep(store.breaker.policy.open_for + 0.1)
        await store.set("name", b"value", 60)
        assert await store.get("name") == b"value"

    with_store(redis.url, work, timeout=0.2)
