"""`python -m gwc_assistant`: the service on uvicorn, with a way out on which no request is dropped."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from types import FrameType

import uvicorn
from opentelemetry.sdk.trace.export import SpanExporter

from gwc_assistant import logs
from gwc_assistant.app import create_app
from gwc_assistant.settings import Settings, SettingsError, from_environment
from gwc_assistant.state import State

log = logging.getLogger(__name__)


class Server(uvicorn.Server):
    """SIGTERM: /readyz says 503 at once, and requests are served on until the gateway has noticed.

    Only then no connection is accepted any more, and what is under way is finished. A second signal ends the wait.
    """

    def __init__(self, config: uvicorn.Config, state: State, delay: float) -> None:
        super().__init__(config)
        self._state, self._delay = state, delay
        self._leaving: asyncio.Task[None] | None = None

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
        return await super().on_tick(counter)

    async def _leave(self) -> None:
        await asyncio.sleep(self._delay)
        self.should_exit = True


def server(settings: Settings, exporter: SpanExporter | None = None) -> Server:
    """Raises ValueError for prices that cannot be read. `run()` serves until it is told to leave."""
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
    return Server(config, app.state.phase, settings.drain_delay)


def main() -> int:
    try:
        settings = from_environment()
    except SettingsError as error:
        print(f"gwc_assistant: {error}", file=sys.stderr)  # noqa: T201 - there is no log before its level is known
        return 2
    logs.configure(settings.log_level)
    server(settings).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
