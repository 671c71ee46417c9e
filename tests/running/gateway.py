"""A service whose slow answers a test holds back, and `gwc run` as a process in front of it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from ports import free_port

PATIENCE = 90.0
"""Seconds for what takes two on a machine that does nothing else."""


def until(done: Callable[[], bool], what: Callable[[], str]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < deadline, what()
        time.sleep(0.05)


@dataclass
class Upstream:
    port: int
    release: threading.Event = field(default_factory=threading.Event)
    waiting: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))


@contextmanager
def upstream() -> Iterator[Upstream]:
    found = Upstream(free_port())

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.path.endswith("/slow"):
                found.waiting.release()
                found.release.wait(PATIENCE)
            body = b"here you are"
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", found.port), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        found.release.set()
        server.shutdown()
        server.server_close()


@dataclass
class Running:
    """`gwc run` and what it has written so far."""

    process: subprocess.Popen[bytes]
    port: int
    directory: Path
    known: set[int] = field(default_factory=set)

    @property
    def out(self) -> str:
        return (self.directory / "out").read_text("utf-8")

    @property
    def err(self) -> str:
        return (self.directory / "err").read_text("utf-8")

    def told(self, text: str, after: int = 0) -> None:
        """Waits until it says so on standard error."""
        until(lambda: text in self.err[after:] or self.process.poll() is not None, lambda: self.err)
        assert text in self.err[after:], self.err

    def get(self, path: str) -> int:
        """The status, 0 for a connection that was lost."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
            return answer.status
        except (OSError, HTTPException):
            return 0
        finally:
            connection.close()

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)

    def descendants(self) -> set[int]:
        """Its processes now; whatever becomes of them, they are ended with the test."""
        found = _below(self.process.pid)
        self.known |= found
        return found


def _below(pid: int) -> set[int]:
    found: set[int] = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except (OSError, IndexError):
            continue
        if parent == pid:
            child = int(stat.parent.name)
            found |= {child, *_below(child)}
    return found


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@contextmanager
def running(directory: Path, port: int, *options: str, **environ: str) -> Iterator[Running]:
    """In a session of its own, as from a shell; whatever a test left of it is ended by process id."""
    command = [sys.executable, "-m", "gwc", "run", "--now", "2026-11-23", *options]
    with (directory / "out").open("wb") as out, (directory / "err").open("wb") as err:
        process = subprocess.Popen(
            command, cwd=directory, stdout=out, stderr=err, env={**os.environ, **environ}, start_new_session=True
        )
    found = Running(process, port, directory)
    try:
        yield found
    finally:
        left = found.known | found.descendants()
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for pid in filter(alive, left):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
