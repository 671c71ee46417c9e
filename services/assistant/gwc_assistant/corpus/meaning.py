"""Search by meaning: a vector for each verse, compared with that of the query, all of them each time.

31,000 vectors take 48 MB and a few milliseconds; an index that is quicker would take minutes to build. The vectors are
of one version's text and serve all of them: a verse means the same in each. They are made once, beside the running
service or before it (`python -m gwc_assistant index`), and kept in a file that is named by the embedder and the text.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from gwc_assistant.corpus.store import Corpus
from gwc_assistant.corpus.whole import alone, replacing
from gwc_assistant.domain import Hit, Verse
from gwc_assistant.protocols import Embedder, Vector
from gwc_assistant.resilience import BreakerOpenError, OverloadedError

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

log = logging.getLogger(__name__)

BATCH = 32
_BUSY = 0.5  # seconds: questions come first where the embedder has no room


class VerseIndex:
    """Needs numpy, which comes with every embedder of meanings."""

    def __init__(self, corpus: Corpus, embedder: Embedder, directory: Path, version: str) -> None:
        self._corpus, self._embedder, self._directory, self._version = corpus, embedder, directory, version
        self._ids: list[int] = []
        self._vectors: NDArray[numpy.float32] | None = None
        self._making: asyncio.Task[None] | None = None
        self._failure: Exception | None = None

    @property
    def ready(self) -> bool:
        return self._vectors is not None

    async def warm_up(self) -> None:
        """Does not wait for the vectors: search is by words until they are there."""
        self._making = asyncio.create_task(self._made())

    async def complete(self) -> None:
        """Raises what the embedder or the disk raised."""
        if self._making is not None:
            await asyncio.shield(self._making)
        if self._failure is not None:
            raise self._failure

    async def aclose(self) -> None:
        if self._making is not None:
            self._making.cancel()
            await asyncio.gather(self._making, return_exceptions=True)

    async def nearest(self, text: str, version: str, limit: int) -> Sequence[Hit]:
        """Raises what the embedder raises. A verse that `version` leaves out is left out."""
        if self._vectors is None:
            return ()
        (wanted,) = await self._embedder.embed([text])
        return await asyncio.to_thread(self._nearest, self._vectors, bytes(wanted), version, limit)

    def _nearest(self, vectors: NDArray[numpy.float32], wanted: bytes, version: str, limit: int) -> Sequence[Hit]:
        import numpy

        scores = vectors @ numpy.frombuffer(wanted, dtype=numpy.float32)
        best = numpy.argsort(-scores, kind="stable")[: limit + 20]  # a version lacks at most sixteen of them
        texts = self._corpus.by_id([self._ids[number] for number in best], version)
        found = [(texts.get(self._ids[number]), float(scores[number])) for number in best]
        return [Hit(verse, score) for verse, score in found if verse is not None][:limit]

    async def _made(self) -> None:
        """Mostly nobody waits for this task: what it does not tell, a full disk or a broken file, nobody would see."""
        try:
            verses = await asyncio.to_thread(self._corpus.verses, self._version)
            path = self._directory / self._name()
            if not await asyncio.to_thread(path.exists):
                await self._write(path, verses)
            self._ids = [verse.id for verse in verses]
            self._vectors = await asyncio.to_thread(self._read, path, len(verses))
        except Exception as error:
            self._failure = error
            log.exception("verses have no vectors: search stays lexical")

    async def _write(self, path: Path, verses: Sequence[Verse]) -> None:
        """By one process at a time: the others wait, and find it made."""
        async with alone(path.with_suffix(".lock")):
            if not await asyncio.to_thread(path.exists):
                log.info("making vectors of all verses", extra={"verses": len(verses)})
                await asyncio.to_thread(_write, path, await self._embedded(verses))

    async def _embedded(self, verses: Sequence[Verse]) -> bytes:
        """A batch at a time, so that a question waits for one batch at most.

        Verses of one length together: a model works on a whole batch as long as its longest text, a third of the time.
        """
        order = sorted(range(len(verses)), key=lambda number: len(verses[number].text))
        vectors: list[bytes] = [b""] * len(verses)
        for start in range(0, len(order), BATCH):
            some = order[start : start + BATCH]
            made = await self._patiently([verses[number].text for number in some])
            for number, vector in zip(some, made, strict=True):
                vectors[number] = vector.tobytes()
        return b"".join(vectors)

    async def _patiently(self, texts: list[str]) -> Sequence[Vector]:
        while True:
            with suppress(OverloadedError, BreakerOpenError):
                return await self._embedder.embed(texts)
            await asyncio.sleep(_BUSY)

    def _name(self) -> str:
        of = hashlib.sha256(f"{self._embedder.id}\0{self._corpus.digest}\0{self._version}".encode()).hexdigest()
        return f"vectors-{of[:16]}.f32"

    def _read(self, path: Path, count: int) -> NDArray[numpy.float32]:
        """Mapped and not read: several processes on one host share its pages."""
        import numpy

        shape = (count, self._embedder.dimensions)
        return numpy.memmap(path, dtype=numpy.float32, mode="r", shape=shape)


def _write(path: Path, content: bytes) -> None:
    with replacing(path) as partial:
        partial.write_bytes(content)
