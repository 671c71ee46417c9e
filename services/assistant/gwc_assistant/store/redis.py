"""A store in Redis, for several processes. While Redis fails, each process has what it keeps itself."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from gwc_assistant.resilience import Breaker, BreakerOpenError, BreakerPolicy

if TYPE_CHECKING:
    from redis.asyncio import Redis

log = logging.getLogger(__name__)

POLICY = BreakerPolicy(window=10, min_calls=3, failure_share=0.5, slow_after=0.2, slow_share=0.8, open_for=5, probes=1)
_RELEASE = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0"
_LOOK = 0.05  # seconds between looks at a lock that another process holds


class RedisStore:
    """Each command gets `timeout` seconds, and none is tried twice: a cache that is slow is no cache."""

    def __init__(self, url: str, *, timeout: float = 0.25, breaker: Breaker | None = None) -> None:
        from redis.asyncio import from_url
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff
        from redis.exceptions import RedisError

        waits = {"socket_timeout": timeout, "socket_connect_timeout": timeout}
        self._redis: Redis = from_url(url, retry=Retry(NoBackoff(), 0), **waits)
        self._errors: tuple[type[Exception], ...] = (RedisError, OSError, TimeoutError)
        self.breaker = breaker or Breaker("cache:redis", POLICY)

    async def get(self, name: str) -> bytes | None:
        found: bytes | None = await self._tried(lambda: self._redis.get(name), None)
        return found

    async def set(self, name: str, value: bytes, seconds: float) -> None:
        await self._tried(lambda: self._redis.set(name, value, px=_milliseconds(seconds)), None)

    async def push(self, name: str, value: bytes, seconds: float, at_most: int) -> None:
        pipeline = self._redis.pipeline(transaction=True)
        pipeline.lrem(name, 0, value)  # type: ignore[arg-type] # redis-py says str, and takes both
        pipeline.lpush(name, value)
        pipeline.ltrim(name, 0, at_most - 1)
        pipeline.pexpire(name, _milliseconds(seconds))
        await self._tried(pipeline.execute, None)

    async def pushed(self, name: str) -> Sequence[bytes]:
        found: Sequence[bytes] = await self._tried(lambda: self._redis.lrange(name, 0, -1), ())
        return found

    @asynccontextmanager
    async def alone(self, name: str, seconds: float) -> AsyncIterator[None]:
        mine = secrets.token_hex(8)
        while await self._tried(lambda: self._taken(name, mine, seconds), False):
            await asyncio.sleep(_LOOK)
        try:
            yield
        finally:
            await self._tried(lambda: self._redis.eval(_RELEASE, 1, name, mine), None)

    async def aclose(self) -> None:
        with contextlib.suppress(*self._errors):
            await self._redis.aclose()

    async def _taken(self, name: str, mine: str, seconds: float) -> bool:
        """Whether somebody else has it; if not, it is mine now."""
        return not await self._redis.set(name, mine, nx=True, px=_milliseconds(seconds))

    async def _tried(self, command: Callable[[], Awaitable[Any]], otherwise: object) -> Any:
        try:
            with self.breaker.guard(self._errors):
                return await command()
        except BreakerOpenError:
            return otherwise
        except self._errors as error:
            log.warning("the shared cache failed", extra={"error": type(error).__name__})
            return otherwise


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))
