"""Running a real gateway as a child process: started, waited for, read and ended the same way for every target."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gwc.target import EngineMissingError

READY_TIMEOUT = 60.0
STOP_TIMEOUT = 15.0
"""Seconds. An engine with thousands of routes takes many of them to start."""


def chosen_binary(variable: str) -> Path | None:
    """The executable that an environment variable names; None when it is unset. Raises EngineMissingError."""
    chosen = os.environ.get(variable)
    if not chosen:
        return None
    if not os.access(chosen, os.X_OK):
        raise EngineMissingError(f"{variable} names {chosen}, which is not an executable file")
    return Path(chosen)


@dataclass(frozen=True, slots=True)
class Command:
    """How to start a gateway. `environ` is the whole environment; `ready` the URL that answers 200 once it serves, or
    whatever else tells. `redact` turns what the engine wrote to standard error into one line that a user may see.

    `output` is an open file descriptor for the access log, of a gateway that does not outlive this process; without one
    the log is kept, to be read with `output()`.
    """

    name: str
    arguments: Sequence[str | Path]
    directory: Path
    environ: Mapping[str, str]
    ready: str | Callable[[], bool]
    redact: Callable[[str], str]
    output: int | None = None


_BOUND = """import ctypes, os, sys
ctypes.CDLL(None).prctl(1, 15)
os.getppid() == int(sys.argv[1]) and os.execvp(sys.argv[2], sys.argv[2:])
"""


def bound(arguments: Sequence[str | Path]) -> list[str | Path]:
    """The same program, which gets SIGTERM when this process is gone, however that came about. On Linux alone."""
    if not sys.platform.startswith("linux"):
        return list(arguments)
    return [sys.executable, "-I", "-S", "-c", _BOUND, str(os.getpid()), *arguments]


class GatewayProcess:
    """Satisfies `gwc.target.Running`. Its output goes to files, so that a full pipe never blocks the gateway."""

    def __init__(self, command: Command) -> None:
        """Starts it and returns when it is ready; otherwise ends it and raises RuntimeError."""
        self._command = command
        self._scratch = tempfile.TemporaryDirectory(prefix="gwc-run-")
        self._final = {"stdout": "", "stderr": ""}
        with self._file("stdout").open("wb") as out, self._file("stderr").open("wb") as err:
            log = out if command.output is None else command.output
            # A session of its own: its workers are ended with it, and by nobody else's interrupt.
            arguments = list(command.arguments) if command.output is None else bound(command.arguments)
            self._process = subprocess.Popen(
                arguments, cwd=command.directory, env=dict(command.environ), stdout=log, stderr=err,
                start_new_session=True,
            )  # fmt: skip
        try:
            self._wait_until_ready()
        except BaseException:  # also an interrupt: nobody else knows of the process yet
            self.stop()
            raise

    def _file(self, name: str) -> Path:
        return Path(self._scratch.name) / name

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_TIMEOUT
        while time.monotonic() < deadline:
            if not self.running:
                raise RuntimeError(f"{self._command.name} ended while starting: {self.reason()}")
            if _ready(self._command.ready):
                return
            time.sleep(0.05)
        raise RuntimeError(f"{self._command.name} was not ready within {READY_TIMEOUT:.0f} s")

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def reason(self) -> str:
        """Why it ended or complains, in words that a user may see."""
        return self._command.redact(self.errors() or "no reason given")

    def send(self, number: signal.Signals) -> None:
        """To the process alone, which knows what to do with its workers."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    def wait(self, seconds: float) -> bool:
        """Whether it ended by itself within that time."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def output(self) -> str:
        return self._read("stdout")

    def errors(self) -> str:
        """What it has written to standard error, in its own words: never for a user's eyes."""
        return self._read("stderr")

    def _read(self, name: str) -> str:
        file = self._file(name)
        return file.read_text(encoding="utf-8", errors="replace") if file.exists() else self._final[name]

    def stop(self) -> None:
        if self.running:
            self._signal(signal.SIGTERM)
            if not self.wait(STOP_TIMEOUT):
                self._signal(signal.SIGKILL)
                self._process.wait(STOP_TIMEOUT)
        if self._file("stdout").exists():
            self._signal(signal.SIGKILL)  # workers that outlived it, and would go on to serve
            self._final = {name: self._read(name) for name in self._final}
            self._scratch.cleanup()

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)


def _ready(ready: str | Callable[[], bool]) -> bool:
    return _answers(ready) if isinstance(ready, str) else ready()


def _answers(url: str) -> bool:
    # Imported here because the compiler loads this module with each target and seldom runs anything.
    from urllib.request import ProxyHandler, build_opener

    try:
        # No proxy of the environment stands between us and a listener of our own.
        with build_opener(ProxyHandler({})).open(url, timeout=1) as response:
            return bool(response.status == 200)
    except OSError:
        return False
