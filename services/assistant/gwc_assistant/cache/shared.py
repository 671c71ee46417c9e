"""L0 for several processes: the answers of each are the answers of all."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from gwc_assistant.cache.exact import ExactCache, normalised
from gwc_assistant.domain import Answer, Citation
from gwc_assistant.protocols import AnswerKey, Found
from gwc_assistant.store import Store, named

LONGEST = 60.0
"""Seconds for which one process may keep the others waiting for an answer that it makes."""


class SharedCache:
    """Fresh for `ttl` seconds, a stand-in for `stale` more. Ages are by the wall clock, for processes share no other.

    `local` has the same answers for as long as the store does not answer, and locks within this process.
    """

    def __init__(
        self, local: ExactCache, store: Store, ttl: float, stale: float, now: Callable[[], float] = time.time
    ) -> None:
        self._local, self._store, self._ttl, self._stale, self._now = local, store, ttl, stale, now

    async def exact(self, key: AnswerKey) -> Found | None:
        """This process's own memory first: it costs no round trip."""
        if (found := await self._local.exact(key)) is not None:
            return found
        found = await self._found(key)
        return dataclasses.replace(found, layer="exact") if found and found.age <= self._ttl else None

    async def similar(self, key: AnswerKey, passages: Sequence[int]) -> Found | None:
        return await self._local.similar(key, passages)

    async def stale(self, key: AnswerKey, passages: Sequence[int]) -> Found | None:
        return await self._found(key) or await self._local.stale(key, passages)

    async def keep(self, key: AnswerKey, passages: Sequence[int], answer: Answer) -> None:
        if answer.keepable:
            await self._local.keep(key, passages, answer)
            await self._store.set(_name(key), _written(answer, self._now()), self._ttl + self._stale)

    @asynccontextmanager
    async def alone(self, key: AnswerKey) -> AsyncIterator[None]:
        """Within this process first, so that each asks the store for the lock once at a time."""
        async with self._local.alone(key), self._store.alone(f"{_name(key)}:lock", LONGEST):
            yield

    async def aclose(self) -> None:
        await self._local.aclose()
        await self._store.aclose()

    async def _found(self, key: AnswerKey) -> Found | None:
        value = await self._store.get(_name(key))
        read = None if value is None else _read(value)
        return None if read is None else Found(read[1], "stale", max(0.0, self._now() - read[0]))


def _name(key: AnswerKey) -> str:
    return named("answer", *dataclasses.astuple(normalised(key)))


def _written(answer: Answer, at: float) -> bytes:
    return json.dumps({"at": at, "answer": dataclasses.asdict(answer)}).encode()


def _read(value: bytes) -> tuple[float, Answer] | None:
    """None for what another release of the service has written."""
    try:
        document: dict[str, Any] = json.loads(value)
        said = document["answer"]
        cited = tuple(Citation(**citation) for citation in said.pop("citations"))
        return float(document["at"]), Answer(citations=cited, context=tuple(said.pop("context")), **said)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
