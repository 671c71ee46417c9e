"""What serves now, and what served before for as long as a request still needs it.

A reload makes the new parts ready beside the old ones, puts them in their place between two requests, and closes the
old ones after the last request that began with them. Whatever goes wrong before that leaves everything as it was.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from starlette.types import ASGIApp, Receive, Scope, Send

from gwc_assistant.configuration import SettingsError
from gwc_assistant.protocols import Closing
from gwc_assistant.settings import Settings
from gwc_assistant.wiring import Lasting, Parts, build

log = logging.getLogger(__name__)

PARTS = "gwc_assistant.parts"

Read = Callable[[Settings], Settings]
"""What is configured by now; told what was so far. Raises SettingsError."""


@dataclass(slots=True, eq=False)
class _Generation:
    parts: Parts
    users: int = 0


class Generations:
    """`current` serves what begins now. Used on the event loop alone."""

    def __init__(self, lasts: Lasting, settings: Settings) -> None:
        self.lasting = lasts
        self._current = _Generation(build(settings, lasts))
        self._living = [self._current]
        self._closing: set[asyncio.Task[None]] = set()
        self._reloading: asyncio.Task[None] | None = None
        self._alone = asyncio.Lock()

    @property
    def current(self) -> Parts:
        return self._current.parts

    @contextmanager
    def lease(self) -> Iterator[Parts]:
        """For a request, from its first byte to its last: its parts are not closed before."""
        generation = self._current
        generation.users += 1
        try:
            yield generation.parts
        finally:
            generation.users -= 1
            self._retire_unused()

    async def warm_up(self) -> None:
        async with self._alone:
            await self.lasting.warm_up()
            await self.current.warm_up()

    @property
    def reloading(self) -> bool:
        return self._reloading is not None and not self._reloading.done()

    def begin_reload(self, read: Read) -> None:
        """Beside the requests that are served meanwhile. How it ended is in the log and a metric. One at a time."""
        self._reloading = asyncio.create_task(self._told(read))

    async def reload(self, read: Read) -> None:
        """Raises what is wrong with the new configuration; then nothing has changed."""
        async with self._alone:
            parts = await self._ready(self.current, read)
            self._current = _Generation(parts)
            self._living.append(self._current)
            self._retire_unused()

    async def aclose(self) -> None:
        """After the last request, or when nobody waits any more for those that are left."""
        if self._reloading is not None:
            self._reloading.cancel()
            await asyncio.gather(self._reloading, return_exceptions=True)
        await asyncio.gather(*self._closing)
        await _closed(_distinct(self._living))
        await self.lasting.aclose()

    async def _told(self, read: Read) -> None:
        outcome = "failed"
        try:
            await self.reload(read)
            outcome = "done"
            log.info("reloaded")
        except SettingsError as error:
            log.error("not reloaded, the old configuration stays", extra={"error": str(error)})
        except Exception as error:
            log.exception("not reloaded, the old configuration stays", extra={"error": str(error)})
        finally:
            self.lasting.telemetry.reloaded(outcome)

    async def _ready(self, before: Parts, read: Read) -> Parts:
        """In threads: files are read, and a model's file is long."""
        settings = await asyncio.to_thread(read, before.settings)
        parts = await asyncio.to_thread(build, settings, self.lasting, before)
        try:
            await parts.take_over(before)
        except BaseException:
            await _closed(part for part in parts.closing if part not in before.closing)
            raise
        return parts

    def _retire_unused(self) -> None:
        gone = [one for one in self._living if one is not self._current and not one.users]
        if not gone:
            return
        self._living = [one for one in self._living if one not in gone]
        held = _distinct(self._living)
        closing = asyncio.create_task(_closed([part for part in _distinct(gone) if part not in held]))
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)


class Leased:
    """Gives each request the parts that it keeps to its end, whatever is reloaded meanwhile."""

    def __init__(self, app: ASGIApp, generations: Generations) -> None:
        self._app, self._generations = app, generations

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        with self._generations.lease() as parts:
            scope[PARTS] = parts
            return await self._app(scope, receive, send)


def _distinct(generations: Iterable[_Generation]) -> list[Closing]:
    return list(dict.fromkeys(part for generation in generations for part in generation.parts.closing))


async def _closed(parts: Iterable[Closing]) -> None:
    """One that cannot be closed keeps none of the others open."""
    for part in parts:
        try:
            await part.aclose()
        except Exception:
            log.exception("a part was not closed", extra={"part": type(part).__name__})
