"""What these tests let run: an NGINX with njs, and the service behind it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from gwc.target import EngineMissingError, Running
from gwc_nginx import TARGET


class Silent:
    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


class _Server(ThreadingHTTPServer):
    request_queue_size = 512


@contextmanager
def service(handler: type[BaseHTTPRequestHandler]) -> Iterator[int]:
    """The port of a service with room for a crowd."""
    server = _Server(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def nginx(directory: Path) -> Iterator[Running]:
    """Runs what was written to the directory. Without an NGINX that has njs the test is skipped."""
    try:
        binary = TARGET.engine.find("njs")
    except EngineMissingError as missing:
        pytest.skip(str(missing))
    running = TARGET.engine.launch(binary, directory, {})
    try:
        yield running
    finally:
        running.stop()
