"""An NGINX that takes up new files on SIGHUP: new workers, while the old ones end with their last request."""

from __future__ import annotations

import time
from collections.abc import Callable
from signal import SIGHUP, SIGQUIT

from gwc.process import Command, GatewayProcess

RELOAD_TIMEOUT = 60.0
"""Seconds until the old workers have stopped to accept."""


class NginxServed:
    """Satisfies `gwc.serving.Served`. Needs an error log on standard error at level notice, which tells all of it."""

    def __init__(self, command: Command) -> None:
        self._process = GatewayProcess(command)
        self._redact = command.redact

    @property
    def ended(self) -> str | None:
        return None if self._process.running else self._process.reason()

    def reload(self) -> None:
        told = len(self._process.errors())
        workers = max(_workers(self._process.errors()), 1)
        self._process.send(SIGHUP)
        self._until(lambda: self._taken_up(told, workers))

    def _taken_up(self, told: int, workers: int) -> bool:
        """Whether the workers that were there accept no more. Raises RuntimeError when the master refuses the files."""
        since = self._process.errors()[told:]
        if "[emerg]" in since:
            raise RuntimeError(f"NGINX did not take up the new files: {self._redact(since)}")
        return "start worker process" in since and since.count("gracefully shutting down") >= workers

    def _until(self, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + RELOAD_TIMEOUT
        while not done():
            if not self._process.running:
                raise RuntimeError(f"NGINX ended: {self._process.reason()}")
            if time.monotonic() > deadline:
                raise RuntimeError(f"NGINX did not take up the new files within {RELOAD_TIMEOUT:.0f} s")
            time.sleep(0.05)

    def stop(self, patience: float) -> None:
        self._process.send(SIGQUIT)
        self._process.wait(patience)
        self._process.stop()


def _workers(errors: str) -> int:
    """How many were started last."""
    return errors.rpartition("start worker processes")[2].count("start worker process ")
