"""How a stream ends that nobody reads: its charge is settled, and the model's place is free again."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from assistant.model_server import ModelServer, Say
from assistant.running import headers
from assistant.test_ask import QUESTION, with_model
from gwc_assistant.app import create_app
from gwc_assistant.settings import Settings


def test_a_client_that_left_before_the_first_byte_leaves_nothing_open(
    settings: Settings, model_server: ModelServer
) -> None:
    gate = threading.Event()
    model_server.default = Say(gate=gate)

    async def run() -> tuple[int, Any]:
        app = create_app(with_model(settings, model_server, bulkhead=1))
        async with app.router.lifespan_context(app):
            while not app.state.phase.serving:
                await asyncio.sleep(0.02)
            await app(_scope(), _Left(), _unsent)
            own = len(asyncio.all_tasks())  # the lifespan's, an embedder's worker
            for _ in range(2):
                await app(_scope(), _Left(), _unsent)
            while len(asyncio.all_tasks()) > own:  # what ends a moment later; what never does runs into the bound
                await asyncio.sleep(0.02)
            return len(model_server.asked), await app.state.generations.lasting.ledger.usage("ann", 0)

    asked, ledger = asyncio.run(asyncio.wait_for(run(), 120))
    gate.set()
    assert asked == 3  # each had the only place
    assert ledger.lines[0].output_tokens == 3 * 2  # what was said, and not the estimate


class _Left:
    """The request, and then that its client is gone."""

    def __init__(self) -> None:
        self._messages = [{"type": "http.request", "body": b'{"question": "%s"}' % QUESTION.encode()}]

    async def __call__(self) -> dict[str, Any]:
        return self._messages.pop() if self._messages else {"type": "http.disconnect"}


async def _unsent(_message: Any) -> None:
    await asyncio.sleep(0)


def _scope() -> dict[str, Any]:
    sent = headers(**{"Accept": "text/event-stream", "Content-Type": "application/json"})
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/v1/ask",
        "raw_path": b"/v1/ask",
        "query_string": b"",
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in sent.items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
