"""Work that two processes share: to compile many services keeps a processor busy for seconds, while another waits."""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Callable, Iterator, Sequence
from signal import SIGKILL
from typing import TypeVar

_T = TypeVar("_T")
_R = TypeVar("_R")

_TICKET = 4
_TICKETS = 8000
"""As many as a pipe takes before anybody reads, and then some."""


def pays() -> bool:
    """Whether another process would have a processor of its own. Elsewhere than on Linux a fork is not safe."""
    return sys.platform == "linux" and len(os.sched_getaffinity(0)) > 1


def divided(items: Sequence[_T], work: Callable[[_T], _R]) -> list[_R]:
    """`work` of each item, in their order; whoever is free takes the next one.

    What comes of the other process is pickled. Whatever keeps it from its work, an exception before all, is left to
    this one: it does what is missing, and meets the same exception where somebody hears of it.
    """
    size = -(-len(items) // _TICKETS) or 1
    bundles = [items[start : start + size] for start in range(0, len(items), size)]
    found = _by_two(bundles, lambda bundle: [work(item) for item in bundle])
    return [
        done
        for number, bundle in enumerate(bundles)
        for done in (found[number] if number in found else [work(item) for item in bundle])
    ]


def _by_two(items: Sequence[_T], work: Callable[[_T], _R]) -> dict[int, _R]:
    """What became of the items by their numbers; some may be missing."""
    (tickets, drawn), (told, telling) = os.pipe(), os.pipe()
    os.write(drawn, b"".join(number.to_bytes(_TICKET, "big") for number in range(len(items))))
    os.close(drawn)
    first, helper = os.getpid(), os.fork()
    if helper == 0:
        os.close(told)  # held open here, it would let us wait forever for a first process that was killed
        _help(first, tickets, telling, items, work)
    os.close(telling)
    try:
        own = dict(_drawn(tickets, items, work))
        with os.fdopen(told, "rb") as heard:
            return own | _heard(heard.read())
    except BaseException:
        os.kill(helper, SIGKILL)
        raise
    finally:
        os.close(tickets)
        os.waitpid(helper, 0)


def _drawn(tickets: int, items: Sequence[_T], work: Callable[[_T], _R]) -> Iterator[tuple[int, _R]]:
    while ticket := os.read(tickets, _TICKET):
        number = int.from_bytes(ticket, "big")
        yield number, work(items[number])


def _help(first: int, tickets: int, telling: int, items: Sequence[_T], work: Callable[[_T], _R]) -> None:
    """The other process. It ends here, and undoes nothing: all that is open belongs to the first one."""
    done: list[tuple[int, _R]] = []
    try:
        try:
            for one in _drawn(tickets, items, work):
                done.append(one)  # what was done before an exception counts
                if os.getppid() != first:
                    break  # it was killed: nobody waits for the rest
        finally:
            with os.fdopen(telling, "wb") as told:
                pickle.dump(done, told)
    finally:
        os._exit(0)


def _heard(told: bytes) -> dict[int, _R]:
    """Nothing, if the other process was killed in the midst of it."""
    try:
        return dict(pickle.loads(told))  # noqa: S301  from a process that this one has made
    except (EOFError, pickle.UnpicklingError):
        return {}
