"""An embedder whose model is loaded once, in a thread, and called in batches."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

from gwc_assistant.embedding.batching import MicroBatcher
from gwc_assistant.protocols import Vector


class LocalModel(Protocol):
    """Blocking, and used by one thread at a time. `id` is known before `load`."""

    id: str
    dimensions: int

    def load(self) -> None:
        """Imports and reads what is needed. Raises ImportError or OSError where it is not there."""

    def encode(self, texts: Sequence[str]) -> Sequence[Vector]: ...


class BatchedEmbedder:
    """A model of meaning behind a MicroBatcher."""

    semantic = True

    def __init__(
        self,
        model: LocalModel,
        *,
        batch: int = 32,
        queue: int = 256,
        observe: Callable[[int, float], None] = lambda _size, _seconds: None,
    ) -> None:
        self._model = model
        self.id, self.dimensions = model.id, model.dimensions
        self._batcher = MicroBatcher(model.id, model.encode, batch=batch, queue=queue, observe=observe)

    async def warm_up(self) -> None:
        """The first call is slower than the later ones, and so it is made here."""
        await asyncio.to_thread(self._model.load)
        await self._batcher.submit(["In the beginning God created the heavens and the earth."])

    async def aclose(self) -> None:
        await self._batcher.aclose()

    async def embed(self, texts: Sequence[str]) -> Sequence[Vector]:
        return await self._batcher.submit(texts)
