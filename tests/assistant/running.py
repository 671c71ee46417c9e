"""The service on a socket of its own, in a thread of this process: real connections, and spans that can be read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from gwc_assistant.__main__ import server
from gwc_assistant.settings import Settings
from ports import free_port

SERVICES = Path(__file__).parents[2] / "services/assistant"
SECRET = "the-gateway-and-nobody-else"
REQUEST_ID = "0123456789abcdef"


def headers(user: str | None = "ann", **more: str) -> dict[str, str]:
    """As the gateway sends them."""
    identity = {"X-User-Id": user} if user is not None else {}
    return {"X-Gateway-Secret": SECRET, "X-Request-ID": REQUEST_ID, **identity, **more}


class Running:
    """Ready when it is made. `spans` are those that were exported."""

    def __init__(self, settings: Settings) -> None:
        self.spans = InMemorySpanExporter()
        self.server = server(settings, self.spans)
        self._thread = threading.Thread(target=self.server.run, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._port()}"
        self.client = httpx.Client(base_url=self.url, headers=headers(), timeout=20, trust_env=False)
        self._until_ready()

    @property
    def parts(self) -> Any:
        return self.server.config.app.state.generations.current

    def _port(self) -> int:
        for _ in range(600):
            if self.server.started:
                return int(self.server.servers[0].sockets[0].getsockname()[1])
            time.sleep(0.05)
        raise AssertionError("the service did not start within half a minute")

    def _until_ready(self) -> None:
        for _ in range(600):
            if self.client.get("/readyz").status_code == 200:
                return
            time.sleep(0.05)
        raise AssertionError("the service was not ready within half a minute")

    def ask(self, question: str, *, user: str = "ann", **more: Any) -> httpx.Response:
        return self.client.post("/v1/ask", json={"question": question, **more}, headers=headers(user))

    def events(self, question: str, *, user: str = "ann", **more: Any) -> tuple[httpx.Response, list[tuple[str, Any]]]:
        """The response and its events, each with its name."""
        with self.streaming(question, user=user, **more) as response:
            response.read()
        return response, list(events(response.text))

    @contextmanager
    def streaming(self, question: str, *, user: str = "ann", **more: Any) -> Iterator[httpx.Response]:
        accepting = headers(user, Accept="text/event-stream")
        body = {"question": question, **more}
        with self.client.stream("POST", "/v1/ask", json=body, headers=accepting) as response:
            yield response

    def usage(self, user: str = "ann") -> Any:
        return self.client.get("/v1/usage", headers=headers(user)).json()

    def close(self) -> None:
        self.client.close()
        self.server.should_exit = True
        self._thread.join(timeout=30)
        assert not self._thread.is_alive()


@dataclass
class Process:
    """The service as it is deployed: a process of its own that gets signals."""

    port: int
    process: subprocess.Popen[str]
    url: str = field(init=False)

    def __post_init__(self) -> None:
        self.url = f"http://127.0.0.1:{self.port}"

    def until_ready(self) -> None:
        for _ in range(600):
            assert self.process.poll() is None, "the service ended before it was ready"
            try:
                if httpx.get(f"{self.url}/readyz", trust_env=False).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.05)
        raise AssertionError("not ready within half a minute")


@contextmanager
def process_of(told: dict[str, str]) -> Iterator[Process]:
    """With these settings, a port of its own, and its log to be read from `stderr` once it has ended."""
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GWC_ASSISTANT_")}
    environment |= {f"GWC_ASSISTANT_{name}": value for name, value in {**told, "PORT": str(port)}.items()}
    environment["PYTHONPATH"] = str(SERVICES)
    command = [sys.executable, "-m", "gwc_assistant"]
    started = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        yield Process(port, started)
    finally:
        started.kill()
        started.communicate(timeout=20)


def events(text: str) -> Iterator[tuple[str, Any]]:
    for block in text.split("\n\n"):
        if block:
            name, data = block.split("\n")
            yield name.removeprefix("event: "), json.loads(data.removeprefix("data: "))
