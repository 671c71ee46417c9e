"""Many callers, one model: whatever queued while the last batch ran is the next batch.

There is no wait for a batch to fill. A lone caller is served at once, and under load batches grow by themselves.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from gwc_assistant.protocols import Vector
from gwc_assistant.resilience import OverloadedError

log = logging.getLogger(__name__)

Encode = Callable[[Sequence[str]], Sequence[Vector]]


class EmbeddingFailedError(Exception):
    """The model behind an embedder failed. Its own exception is the cause, and in the log."""


@dataclass(slots=True, eq=False)
class _Call:
    """One caller's texts, which may be spread over batches. `done` is told when the last has its vector."""

    texts: Sequence[str]
    done: asyncio.Future[Sequence[Vector]]
    taken: int = 0
    vectors: list[Vector] = field(default_factory=list)

    @property
    def waiting(self) -> int:
        return len(self.texts) - self.taken

    def take(self, count: int) -> Sequence[str]:
        start, self.taken = self.taken, self.taken + count
        return self.texts[start : self.taken]


class MicroBatcher:
    """`encode` runs in one thread of its own, with at most `batch` texts; at most `queue` texts wait.

    `observe` is told the size of each batch and the seconds that it took.
    """

    def __init__(
        self,
        name: str,
        encode: Encode,
        *,
        batch: int = 32,
        queue: int = 256,
        observe: Callable[[int, float], None] = lambda _size, _seconds: None,
    ) -> None:
        self.name, self._encode, self._batch, self._queue, self._observe = name, encode, batch, queue, observe
        self._calls: deque[_Call] = deque()
        self._waiting = 0  # texts, not calls
        self._pace = 0.0  # seconds a text, of the last batch
        self._worker: asyncio.Task[None] | None = None
        self._closed = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"embed-{name}")

    async def submit(self, texts: Sequence[str]) -> Sequence[Vector]:
        """One vector for each, in order. Raises OverloadedError at once when they do not fit into the queue.

        Queues are first come, first served: whoever has thousands of texts submits a batch at a time.
        """
        if not texts:
            return ()
        self._admit(len(texts))
        call = _Call(texts, asyncio.get_running_loop().create_future())
        self._calls.append(call)
        self._waiting += len(texts)
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        return await call.done

    async def aclose(self) -> None:
        """Whoever is in the queue is served; whoever comes after is refused."""
        self._closed = True
        if self._worker is not None:
            await asyncio.gather(self._worker, return_exceptions=True)
        await asyncio.to_thread(self._thread.shutdown)

    def _admit(self, count: int) -> None:
        """An empty queue takes any call: a batch too large for it would otherwise never be served."""
        if self._closed or (self._waiting and self._waiting + count > self._queue):
            raise OverloadedError(f"embedding:{self.name}", max(1.0, self._waiting * self._pace))

    async def _work(self) -> None:
        while parts := self._next():
            texts = [text for _, some in parts for text in some]
            started = time.monotonic()
            try:
                vectors = await asyncio.get_running_loop().run_in_executor(self._thread, self._encode, texts)
                if len(vectors) != len(texts):
                    raise RuntimeError(f"{len(vectors)} vectors for {len(texts)} texts")
            except Exception as error:
                log.exception("embedding failed", extra={"embedder": self.name, "texts": len(texts)})
                _failed(parts, self.name, error)
                continue
            seconds = time.monotonic() - started
            self._pace = seconds / len(texts)
            self._observe(len(texts), seconds)
            _told(parts, vectors)

    def _next(self) -> list[tuple[_Call, Sequence[str]]]:
        """Calls and the texts of each that are next, together a batch. Callers who went away are dropped."""
        parts: list[tuple[_Call, Sequence[str]]] = []
        room = self._batch
        while self._calls and room:
            call = self._calls[0]
            if call.done.done():
                self._waiting -= call.waiting
                self._calls.popleft()
                continue
            some = call.take(min(room, call.waiting))
            parts.append((call, some))
            room -= len(some)
            self._waiting -= len(some)
            if not call.waiting:
                self._calls.popleft()
        return parts


def _told(parts: list[tuple[_Call, Sequence[str]]], vectors: Sequence[Vector]) -> None:
    position = 0
    for call, some in parts:
        call.vectors += vectors[position : position + len(some)]
        position += len(some)
        if len(call.vectors) == len(call.texts) and not call.done.done():
            call.done.set_result(call.vectors)


def _failed(parts: list[tuple[_Call, Sequence[str]]], name: str, cause: Exception) -> None:
    """An exception of its own for each caller: they are raised in different tasks."""
    for call, _ in parts:
        if not call.done.done():
            error = EmbeddingFailedError(f"{name} failed")
            error.__cause__ = cause
            call.done.set_exception(error)
