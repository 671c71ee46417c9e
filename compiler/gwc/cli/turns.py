"""One run after another where several write into the same build directory: each finds whole what the one before left.

A manifest keeps what it says of targets that a run does not render, so two runs at once would each write down an old
state of the other's, and a file of one policy could come to stand beside a manifest of another.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from gwc.cli.guard import say
from gwc.cli.transaction import make_directories, remove_empty


@contextmanager
def turn(directory: Path, *, writing: bool) -> Iterator[None]:
    """`directory` is this run's alone; where it only reads, it may be other readers' as well.

    Waits, and says so. Makes the directory to be written, which is gone again where nothing came into it. Where it
    cannot be had for any reason, whatever is to be done there says why; and a file system without locks has none.
    """
    with ExitStack() as stack:
        while (held := _held(directory, stack, writing=writing)) is not None and not _is_there(directory, held):
            stack.close()  # the run before had made it, and took it away again
        yield


def _held(directory: Path, stack: ExitStack, *, writing: bool) -> int | None:
    """Its descriptor, locked until `stack` closes; it goes with the process, too, however that ends."""
    made = list[Path]()
    try:
        if writing:
            made.extend(make_directories(directory))
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        stack.callback(os.close, descriptor)
        _wait(descriptor, directory, fcntl.LOCK_EX if writing else fcntl.LOCK_SH)
    except OSError:
        return None
    finally:
        stack.callback(remove_empty, made)  # before it is the next run's turn, from under which it would be taken away
    return descriptor


def _wait(descriptor: int, directory: Path, how: int) -> None:
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        say(f"another run of gwc writes into {directory}: waiting for it")
        fcntl.flock(descriptor, how)


def _is_there(directory: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(directory.stat(), os.fstat(descriptor))
    except OSError:
        return False
