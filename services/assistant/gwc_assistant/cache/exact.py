"""L0: the answer to exactly the same question, in this process's memory."""

from __future__ import annotations

import asyncio
import re
import time
import unicodedata
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from gwc_assistant.domain import Answer
from gwc_assistant.protocols import AnswerKey, Found


def normalised(key: AnswerKey) -> AnswerKey:
    """The same question in another spacing, case or Unicode form. Punctuation stays: it may carry the meaning."""
    text = unicodedata.normalize("NFKC", key.question).casefold()
    return replace(key, question=re.sub(r"\s+", " ", text).strip())


class ExactCache:
    """At most `entries`, the least recently used going first; fresh for `ttl`, a stand-in for `stale` more seconds."""

    def __init__(self, entries: int, ttl: float, stale: float, now: Callable[[], float] = time.monotonic) -> None:
        self._entries, self._ttl, self._stale, self._now = entries, ttl, stale, now
        self._kept: OrderedDict[AnswerKey, tuple[float, Answer]] = OrderedDict()
        self._locks: dict[AnswerKey, tuple[asyncio.Lock, int]] = {}

    async def exact(self, key: AnswerKey) -> Found | None:
        found = self._found(key)
        return Found(found[1], "exact", found[0]) if found and found[0] <= self._ttl else None

    async def similar(self, key: AnswerKey, passages: Sequence[int]) -> Found | None:  # noqa: ARG002 - L0 knows no meaning
        return None

    async def stale(self, key: AnswerKey, passages: Sequence[int]) -> Found | None:  # noqa: ARG002 - as above
        found = self._found(key)
        return Found(found[1], "stale", found[0]) if found else None

    async def keep(self, key: AnswerKey, passages: Sequence[int], answer: Answer) -> None:  # noqa: ARG002 - as above
        if not answer.keepable:
            return
        self._kept[normalised(key)] = (self._now(), answer)
        self._kept.move_to_end(normalised(key))
        while len(self._kept) > self._entries:
            self._kept.popitem(last=False)

    @asynccontextmanager
    async def alone(self, key: AnswerKey) -> AsyncIterator[None]:
        """One lock a question, gone with the last who wants it."""
        same = normalised(key)
        lock, holders = self._locks.get(same, (asyncio.Lock(), 0))
        self._locks[same] = lock, holders + 1
        try:
            async with lock:
                yield
        finally:
            lock, holders = self._locks.pop(same)
            if holders > 1:
                self._locks[same] = lock, holders - 1

    async def aclose(self) -> None:
        self._kept.clear()

    def _found(self, key: AnswerKey) -> tuple[float, Answer] | None:
        """Age and answer, unless it is too old for anything."""
        same = normalised(key)
        if (entry := self._kept.get(same)) is None:
            return None
        age = self._now() - entry[0]
        if age > self._ttl + self._stale:
            del self._kept[same]
            return None
        self._kept.move_to_end(same)
        return age, entry[1]
