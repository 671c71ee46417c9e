"""A word on what takes so long: on a terminal's standard error, after a second, and gone when it is over."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

_PATIENCE = 1.0  # seconds
_CLEAR = "\r\x1b[K"


@contextmanager
def progress(text: str) -> Iterator[None]:
    """Show `text` while the body runs, if it runs for more than a second and somebody is looking."""
    if not sys.stderr.isatty():
        yield
        return
    from threading import Timer

    timer = Timer(_PATIENCE, _show, (f"{_CLEAR}{text} ...",))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        _show(_CLEAR)


def _show(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()
