"""How many calls of a backend may be under way at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class OverloadedError(Exception):
    """As many calls are under way as may be. It is our own limit, and no failure of the backend."""

    def __init__(self, name: str, retry_after: float = 1.0) -> None:
        super().__init__(f"{name} has no room for another call")
        self.name, self.retry_after = name, retry_after


class Bulkhead:
    """`wait` seconds for a place, and not longer: a queue behind a slow backend only grows."""

    def __init__(self, name: str, places: int, wait: float) -> None:
        self.name, self._wait = name, wait
        self._places = asyncio.Semaphore(places)

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._wait):
                await self._places.acquire()
        except TimeoutError:
            raise OverloadedError(self.name) from None
        try:
            yield
        finally:
            self._places.release()
