"""Signals that end a run: the first one gently, the next one at once."""

from __future__ import annotations

import signal
from threading import Event
from types import FrameType, TracebackType
from typing import Any

from gwc.cli.exits import ExitCode

_GENTLE = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Ending:
    """Within it a signal sets `wanted`, and a second one raises KeyboardInterrupt.

    `code` is what the run then ends with.
    """

    def __init__(self) -> None:
        self._event = Event()
        self._before: dict[signal.Signals, Any] = {}
        self.code = ExitCode.OK

    @property
    def wanted(self) -> bool:
        return self._event.is_set()

    def wait(self, seconds: float) -> bool:
        return self._event.wait(seconds)

    def end(self, code: ExitCode) -> None:
        """As a signal would, from inside."""
        self.code = code
        self._event.set()

    def __enter__(self) -> Ending:
        self._before = {number: signal.signal(number, self._come) for number in _GENTLE}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _come(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - the signature of a handler
        if self.wanted:
            raise KeyboardInterrupt
        self.end(ExitCode.INTERRUPTED if number == signal.SIGINT else ExitCode.OK)
