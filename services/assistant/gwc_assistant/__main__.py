"""`python -m gwc_assistant`: the service on uvicorn, with a way out on which no request is dropped.

SIGHUP: what is configured is read again. `python -m gwc_assistant check` only says whether it could be, and
`python -m gwc_assistant index` makes the vectors of all verses, for an image or a disk that services start from.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType

import uvicorn
from opentelemetry.sdk.trace.export import SpanExporter

from gwc_assistant import logs
from gwc_assistant.app import create_app
from gwc_assistant.configuration import SettingsError, read, reloaded
from gwc_assistant.generations import Generations, Read
from gwc_assistant.settings import Settings
from gwc_assistant.state import State
from gwc_assistant.wiring import build, lasting

log = logging.getLogger(__name__)


class Server(uvicorn.Server):
    """SIGTERM: /readyz says 503 at once, and requests are served on until the gateway has noticed.

    Only then no connection is accepted any more, and what is under way is finished. A second signal ends the wait.
    `configured` is asked on each SIGHUP.
    """

    def __init__(
        self, config: uvicorn.Config, state: State, generations: Generations, delay: float, configured: Read
    ) -> None:
        super().__init__(config)
        self._state, self._generations, self._delay, self._configured = state, generations, delay, configured
        self._leaving: asyncio.Task[None] | None = None
        self._reload_wanted = False

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """SIGHUP beside those that uvicorn knows; like those, in the main thread alone."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.signal(signal.SIGHUP, self._hang_up)
        try:
            with super().capture_signals():
                yield
        finally:
            signal.signal(signal.SIGHUP, before)

    def _hang_up(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - as above
        self.reload()

    def reload(self) -> None:
        """From any thread. One more while a reload runs is begun after it: it may be of what was written since."""
        self._reload_wanted = True

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - the signature of a handler
        if self._state.phase == "draining":
            self.should_exit = True
            return
        log.info("draining", extra={"signal": signal.Signals(sig).name, "delay": self._delay})
        self._state.drain()

    async def on_tick(self, counter: int) -> bool:
        """Called ten times a second by uvicorn, on the loop: a signal handler must not touch tasks."""
        if self._state.phase == "draining" and self._leaving is None:
            self._leaving = asyncio.create_task(self._leave())
        if self._reload_wanted and self._state.phase == "ready" and not self._generations.reloading:
            self._reload_wanted = False
            self._generations.begin_reload(self._configured)
        return await super().on_tick(counter)

    async def _leave(self) -> None:
        await asyncio.sleep(self._delay)
        self.should_exit = True


def server(settings: Settings, exporter: SpanExporter | None = None, configured: Read = reloaded) -> Server:
    """Raises what `app.create_app` raises. `run()` serves until it is told to leave."""
    app = create_app(settings, exporter)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,  # the gateway has one, with what it decided
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=int(settings.drain_timeout),
        timeout_keep_alive=75,  # longer than a gateway's own, so that it is the gateway that closes
    )
    return Server(config, app.state.phase, app.state.generations, settings.drain_delay, configured)


def main() -> int:
    command = _parser().parse_args().command
    try:
        settings = read()
        logs.configure(settings.log_level)
        if command == "index":
            return asyncio.run(_index(settings))
        made = server(settings)
    except (SettingsError, ValueError, OSError, ImportError) as error:
        print(f"gwc_assistant: {error}", file=sys.stderr)  # noqa: T201 - whoever starts it reads this, and no log
        return 2
    if command == "serve":
        made.run()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m gwc_assistant", description="The AssistantService.")
    parser.add_argument(
        "command",
        nargs="?",
        default="serve",
        choices=("serve", "check", "index"),
        help="check: whether the settings are right; index: make the vectors of all verses, and end",
    )
    return parser


async def _index(settings: Settings) -> int:
    """Raises what kept it from being made."""
    parts = build(settings, lasts := lasting(settings))
    try:
        if parts.index is None:
            raise ValueError("there is no embedder of meanings, or verse_index is off: there is no index to make")
        await lasts.warm_up()
        await parts.warm_up()
        await parts.index.complete()
    finally:
        for part in parts.closing:
            await part.aclose()
        await lasts.aclose()
    return 0


if __name__ == "__main__":
    sys.exit(main())
