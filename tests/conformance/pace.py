"""Whether the machine kept time while something was measured.

Expectations in milliseconds mean something only where nobody was kept waiting for a processor: on a busy machine a
thread that wants to wake up in 10 ms wakes up after 200, and so do the gateway, the service and the client.
"""

from __future__ import annotations

import threading
import time
from collections import deque

_EVERY = 0.01
_REMEMBERED = 60_000
"""Moments: ten minutes of them."""


class Pace:
    """A thread that sleeps ten milliseconds at a time and notes how late it wakes up."""

    def __init__(self) -> None:
        self._late: deque[tuple[float, float]] = deque(maxlen=_REMEMBERED)
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def now(self) -> float:
        """A moment to ask `worst` about later."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="pace", daemon=True)
                self._thread.start()
        return time.monotonic()

    def _watch(self) -> None:
        while True:
            due = time.monotonic() + _EVERY
            time.sleep(_EVERY)
            self._late.append((due, time.monotonic() - due))

    def worst(self, since: float) -> float:
        """The longest that the thread was kept waiting since then, in seconds."""
        return max((late for due, late in tuple(self._late) if due >= since - _EVERY), default=0.0)


PACE = Pace()
EVEN = 0.06
"""Seconds by which nobody was kept waiting on a machine that kept time: a fraction of what scenarios allow for."""
