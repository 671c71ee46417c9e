"""The service behind a gateway under test: it answers as the step under way says, and remembers what it received."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from gwc.testing.language import Answer
from gwc.testing.on_model import BODY
from gwc.testing.seen import Received

_MAX_BODY = 256 * 2**20


@dataclass(slots=True)
class _Entry:
    """A step, or one request of it: its answers, and what was received for it."""

    step: int
    answers: Sequence[Answer]
    received: list[Received] = field(default_factory=list)


class Desk:
    """Which step is under way. A request's tries share its id, so a try that comes late still belongs to its step."""

    def __init__(self, id_header: str) -> None:
        self._id = id_header.lower()
        self._now = _Entry(0, (Answer(),))
        self._by_id: dict[str, _Entry] = {}
        self._lock = threading.Lock()
        self.over = threading.Event()

    def begin(self, step: int, answers: Sequence[Answer]) -> None:
        with self._lock:
            self._now = _Entry(step, answers)

    def take(self, received: Received) -> Answer:
        """What to answer. Without an id it is the gateway's own check of the service's health."""
        name = next((value for key, value in received.headers if key.lower() == self._id), None)
        if name is None:
            return Answer()
        with self._lock:
            entry = self._by_id.setdefault(name, _Entry(self._now.step, self._now.answers))
            entry.received.append(received)
            return entry.answers[min(len(entry.received), len(entry.answers)) - 1]

    def received(self, request_id: str) -> list[Received]:
        with self._lock:
            found = self._by_id.pop(request_id, None)
            return found.received if found else []

    def behind(self, step: int) -> list[Received]:
        """What the gateway asked on its own while a step was under way: renewals."""
        with self._lock:
            return [one for entry in self._by_id.values() if entry.step == step for one in entry.received]


class TestService:
    """Listens on loopback, on a port that the kernel chose, until it is closed."""

    __test__ = False  # no test of pytest's

    def __init__(self, desk: Desk) -> None:
        class Handler(_Handler):
            pass

        Handler.desk = desk
        self._desk = desk
        self._server = _Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def close(self) -> None:
        self._desk.over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 1024  # a gateway connects for all of a step's repetitions at once


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # an answer leaves whole
    timeout = 120
    desk: Desk

    def _serve(self) -> None:
        self._read()
        answer = self.desk.take(Received(self.command, self.path, tuple(self.headers.items())))
        self.desk.over.wait(answer.delay)
        if answer.fail is not None:
            self._fail(answer.fail)
            return
        body = BODY if answer.body is None else answer.body.encode()
        self.send_response_only(answer.status)
        self.send_header("Content-Type", answer.type)
        for name, values in answer.headers.items():
            for value in values:
                self.send_header(name, value)
        if answer.status >= 200 and answer.status not in (204, 304):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD" and answer.status not in (204, 304):
            self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _serve  # noqa: N815

    def _read(self) -> None:
        """The body has to be out of the way for the next request."""
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            while size := int(self.rfile.readline(1024).split(b";")[0] or b"0", 16):
                self.rfile.read(size + 2)
            while self.rfile.readline(65536).strip():
                pass
        else:
            self.rfile.read(min(int(self.headers.get("Content-Length") or 0), _MAX_BODY))

    def _fail(self, how: str) -> None:
        self.close_connection = True
        if how == "hang":
            self.desk.over.wait(600)
        else:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing: what was received is remembered."""

    def handle(self) -> None:
        try:
            super().handle()
        except (OSError, ValueError):
            self.close_connection = True  # a gateway that gave up: nobody is listening
