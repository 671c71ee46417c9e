"""A Kong that takes up new files by `kong reload`: new workers, while the old ones end with their last request."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from signal import SIGQUIT

from gwc.serving import Place
from gwc.target import Binary
from gwc_kong.engine import KongProcess, redact, reload

RELOAD_TIMEOUT = 60.0
"""Seconds until the old workers have stopped to accept."""


class KongServed:
    """Satisfies `gwc.serving.Served`."""

    def __init__(self, binary: Binary, place: Place) -> None:
        self._binary, self._place = binary, place
        self._process = KongProcess(binary, place.directory, place.environ, place.log)

    @property
    def ended(self) -> str | None:
        return None if self._process.running else self._process.reason()

    def reload(self) -> None:
        told = len(self._log())
        done = reload(self._binary, self._place.directory, self._process.settings)
        if done.returncode != 0:
            raise RuntimeError(f"Kong did not take up the new files: {redact(done.stderr or done.stdout)}")
        self._until(lambda: _taken_up(self._log()[told:]))

    def _log(self) -> str:
        file = self._process.error_log
        return file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""

    def _until(self, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + RELOAD_TIMEOUT
        while not done():
            if not self._process.running:
                raise RuntimeError(f"Kong ended: {self._process.reason()}")
            if time.monotonic() > deadline:
                raise RuntimeError(f"Kong did not take up the new files within {RELOAD_TIMEOUT:.0f} s")
            time.sleep(0.05)

    def stop(self, patience: float) -> None:
        """The process that was started waits for nginx, and nginx for its requests."""
        with contextlib.suppress(OSError, ValueError):
            os.kill(int(self._process.nginx_pid.read_text(encoding="utf-8")), SIGQUIT)
            self._process.wait(patience)
        self._process.stop()


def _taken_up(since: str) -> bool:
    """Whether the workers that were there accept no more. Raises RuntimeError when Kong refuses the files."""
    if "[emerg]" in since:
        raise RuntimeError(f"Kong did not take up the new files: {redact(since[since.index('[emerg]') :])}")
    return since.count("gracefully shutting down") >= max(since.count("start worker process "), 1)
