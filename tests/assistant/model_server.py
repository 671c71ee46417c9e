"""An OpenAI-compatible server that answers as it is told, and remembers what it was asked."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self, TypeAlias


@dataclass(frozen=True)
class Say:
    """`gate` holds the answer back after the first word; `cut` breaks off there."""

    words: tuple[str, ...] = ("God so ", "loved the world ", "[1].")
    usage: tuple[int, int] | None = (1000, 100)
    finish: str = "stop"
    cut: bool = False
    gate: threading.Event | None = None


@dataclass(frozen=True)
class Fail:
    status: int = 500
    retry_after: str | None = None


@dataclass(frozen=True)
class Raw:
    """A stream's bytes as they are. `endless` repeats them until the service has had enough."""

    data: bytes
    endless: bool = False


@dataclass(frozen=True)
class Hang:
    """Says nothing until the test is over."""


Answer: TypeAlias = Say | Fail | Raw | Hang
Told: TypeAlias = Answer | Callable[[dict[str, Any]], Answer]
"""What to answer, or what makes the answer from the body of the request."""


@dataclass
class Asked:
    body: dict[str, Any]
    headers: dict[str, str]


@dataclass
class ModelServer:
    """`script` is used up one by one; after it, `default` answers. `port` 0 is any free one."""

    default: Told = field(default_factory=Say)
    script: deque[Told] = field(default_factory=deque)
    asked: list[Asked] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    port: int = 0

    def __enter__(self) -> Self:
        owner = self

        class Handler(_Handler):
            double = owner

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=10)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def next(self, body: dict[str, Any]) -> Answer:
        told = self.script.popleft() if self.script else self.default
        return told(body) if callable(told) else told


class _Handler(BaseHTTPRequestHandler):
    double: ModelServer

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        sent = {name.lower(): value for name, value in self.headers.items()}
        self.double.asked.append(Asked(body, sent))
        try:
            self._answer(self.double.next(body), body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the service has left

    def _answer(self, told: Answer, body: dict[str, Any]) -> None:
        if isinstance(told, Hang):
            self.double.over.wait(30)
        elif isinstance(told, Fail):
            self.send_response(told.status)
            if told.retry_after:
                self.send_header("Retry-After", told.retry_after)
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif isinstance(told, Raw):
            self._raw(told)
        else:
            self._say(told, counted=body.get("stream_options", {}).get("include_usage", False))

    def _raw(self, told: Raw) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self.wfile.write(told.data)
        for _ in range(100_000 if told.endless else 0):
            self.wfile.write(told.data)

    def _say(self, told: Say, *, counted: bool) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        for number, word in enumerate(told.words):
            self._event({"choices": [{"delta": {"content": word}, "finish_reason": None}]})
            if number == 0 and told.gate is not None:
                told.gate.wait(30)
            if number == 0 and told.cut:
                return
        self._event({"choices": [{"delta": {}, "finish_reason": told.finish}]})
        if told.usage is not None and counted:
            sent, got = told.usage
            self._event({"choices": [], "usage": {"prompt_tokens": sent, "completion_tokens": got}})
        self.wfile.write(b"data: [DONE]\n\n")

    def _event(self, data: dict[str, Any]) -> None:
        self.wfile.write(f"data: {json.dumps(data)}\n\n".encode())
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:
        """Quiet: what was asked is in `asked`."""
