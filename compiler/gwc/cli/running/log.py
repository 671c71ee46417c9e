"""The access log of the gateway that runs, printed as it comes. A slow terminal never holds a gateway up."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from queue import Full, Queue
from threading import Thread

from gwc.cli.guard import say
from gwc.report.requests import Places, heading, request_line
from gwc.report.style import style_for

_WAITING = 10_000
"""Lines that may wait for the terminal."""


class RequestLog:
    """Give `descriptor` to the gateway. `on_closed` is called when nobody reads standard output any more."""

    def __init__(self, raw: bool, on_closed: Callable[[], None]) -> None:
        self._raw, self._on_closed = raw, on_closed
        self._read, self.descriptor = os.pipe()
        self._lines: Queue[str | None] = Queue(_WAITING)
        self._dropped, self._other = 0, 0
        self.places: Places = {}
        self._threads = [Thread(target=run, daemon=True) for run in (self._receive, self._print)]

    def start(self) -> None:
        if not self._raw:
            sys.stdout.write(f"{heading(style_for(sys.stdout))}\n")
            sys.stdout.flush()
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Once the gateway has ended: prints what is left."""
        os.close(self.descriptor)
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(5)
        if self._dropped:
            say(f"{self._dropped} requests came too fast for this terminal, and are not shown")
        if self._other:
            say(f"{self._other} lines on the gateway's standard output were no access log")

    def _receive(self) -> None:
        with os.fdopen(self._read, encoding="utf-8", errors="replace") as stream:
            for line in stream:
                try:
                    self._lines.put_nowait(line.rstrip("\n"))
                except Full:
                    self._dropped += 1
        self._lines.put(None)

    def _print(self) -> None:
        style = style_for(sys.stdout)
        while (line := self._lines.get()) is not None:
            entry = _entry(line)
            if entry is None:
                self._other += bool(line.strip())
                continue
            try:
                sys.stdout.write(f"{line if self._raw else request_line(entry, self.places, style)}\n")
                sys.stdout.flush()
            except OSError:
                self._on_closed()
                return


def _entry(line: str) -> dict[str, object] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
