"""Vectors of texts that were embedded before. They depend on the text and the model alone, so that all users share."""

from __future__ import annotations

from array import array
from collections import OrderedDict
from collections.abc import Callable, Sequence

from gwc_assistant.protocols import Embedder, Vector
from gwc_assistant.store import Store, named


class CachedEmbedder:
    """At most `entries` vectors here, the least recently used going first, and all of them for a week in `shared`.

    `observe` is told of each call how many vectors were there, and how many were made.
    """

    KEPT = 7 * 86_400.0

    def __init__(
        self,
        embedder: Embedder,
        entries: int,
        shared: Store | None = None,
        observe: Callable[[int, int], None] = lambda _cached, _made: None,
    ) -> None:
        self._embedder, self._entries, self._shared, self._observe = embedder, entries, shared, observe
        self.id, self.dimensions, self.semantic = embedder.id, embedder.dimensions, embedder.semantic
        self._kept: OrderedDict[str, Vector] = OrderedDict()

    @property
    def uncached(self) -> Embedder:
        """For whoever embeds each text once: a whole corpus would push out what is asked again and again."""
        return self._embedder

    async def warm_up(self) -> None:
        await self._embedder.warm_up()

    async def aclose(self) -> None:
        self._kept.clear()
        await self._embedder.aclose()

    async def embed(self, texts: Sequence[str]) -> Sequence[Vector]:
        """Only what is missing is embedded, and each text once. The vectors are shared: nobody changes them."""
        found = {text: vector for text in dict.fromkeys(texts) if (vector := await self._found(text)) is not None}
        missing = [text for text in dict.fromkeys(texts) if text not in found]
        self._observe(len(found), len(missing))
        if missing:
            for text, vector in zip(missing, await self._embedder.embed(missing), strict=True):
                found[text] = vector
                await self._keep(text, vector)
        return [found[text] for text in texts]

    async def _found(self, text: str) -> Vector | None:
        if (here := self._kept.get(text)) is not None:
            self._kept.move_to_end(text)
            return here
        there = await self._shared.get(self._name(text)) if self._shared is not None else None
        if there is None or len(there) != 4 * self.dimensions:
            return None
        vector = array("f", there)
        self._remember(text, vector)
        return vector

    async def _keep(self, text: str, vector: Vector) -> None:
        self._remember(text, vector)
        if self._shared is not None:
            await self._shared.set(self._name(text), vector.tobytes(), self.KEPT)

    def _remember(self, text: str, vector: Vector) -> None:
        self._kept[text] = vector
        self._kept.move_to_end(text)
        while len(self._kept) > self._entries:
            self._kept.popitem(last=False)

    def _name(self, text: str) -> str:
        return named("vector", self.id, text)
