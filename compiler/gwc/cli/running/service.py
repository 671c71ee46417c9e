"""The service behind the gateway, started beside it."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from threading import Thread

from gwc.cli.exits import CommandError, ExitCode
from gwc.process import bound
from gwc.report.excerpt import printable
from gwc.report.style import style_for

STOP_TIMEOUT = 10.0
"""Seconds for a service to end by itself."""


class Service:
    """Started without a shell. What it writes is printed behind its name, on standard error."""

    def __init__(self, command: str) -> None:
        words = _words(command)
        self.name = Path(words[0]).name
        if shutil.which(words[0]) is None:
            raise CommandError(ExitCode.USAGE, f"--with-service: {words[0]} is no program that can be found")
        try:
            self._process = subprocess.Popen(
                bound(words), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONUNBUFFERED": "1"}, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise CommandError(ExitCode.USAGE, f"--with-service: {words[0]}: {error.strerror}") from error
        self._reader = Thread(target=self._print, daemon=True)
        self._reader.start()

    def _print(self) -> None:
        assert self._process.stdout is not None, "a pipe was asked for"
        lead = style_for(sys.stderr)("gutter", f"{self.name} |")
        for line in self._process.stdout:
            text = printable(line.decode("utf-8", "replace").rstrip())
            sys.stderr.write(f"{lead} {text}\n")

    @property
    def ended(self) -> str | None:
        """How it ended; None while it runs."""
        code = self._process.poll()
        if code is None:
            return None
        return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"

    def stop(self) -> None:
        """With everything that it has started."""
        self._signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            self._process.wait(STOP_TIMEOUT)
        self._signal(signal.SIGKILL)  # what it left behind
        self._reader.join(1)

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)


def _words(command: str) -> list[str]:
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise CommandError(ExitCode.USAGE, f"--with-service: {error}", "quote it as a shell would") from error
    if not words:
        raise CommandError(ExitCode.USAGE, "--with-service names no command")
    return words
