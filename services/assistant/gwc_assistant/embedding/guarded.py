"""An embedder behind its breaker: while its model fails, nobody waits for it. `span` is around each call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

from gwc_assistant.embedding.batching import EmbeddingFailedError
from gwc_assistant.protocols import Embedder, Vector
from gwc_assistant.resilience import Breaker


class GuardedEmbedder:
    """Raises BreakerOpenError beside what the embedder raises. A full queue is no failure of the model."""

    def __init__(
        self,
        embedder: Embedder,
        breaker: Breaker,
        span: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        self._embedder, self.breaker, self._span = embedder, breaker, span
        self.id, self.dimensions, self.semantic = embedder.id, embedder.dimensions, embedder.semantic

    async def warm_up(self) -> None:
        await self._embedder.warm_up()

    async def aclose(self) -> None:
        await self._embedder.aclose()

    async def embed(self, texts: Sequence[str]) -> Sequence[Vector]:
        with self._span(), self.breaker.guard((EmbeddingFailedError,)):
            return await self._embedder.embed(texts)
