"""Processes by /proc: who descends from whom, on which core they run, and how much processor time they took."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_TICK = os.sysconf("SC_CLK_TCK")  # per second


@dataclass(frozen=True, slots=True)
class Stat:
    """`ticks` of processor time, user and system, of all threads; of children only those that have been waited for."""

    parent: int
    ticks: int


def parse(text: str) -> Stat:
    """A line of /proc/PID/stat: see proc(5). The name in parentheses may itself hold spaces and parentheses."""
    fields = text.rpartition(")")[2].split()
    return Stat(parent=int(fields[1]), ticks=sum(map(int, fields[11:15])))


def tree(root: int) -> frozenset[int]:
    """`root` and all that descend from it."""
    parents = {pid: stat.parent for pid, stat in _all()}
    found, more = frozenset[int](), frozenset({root})
    while more:
        found |= more
        more = frozenset(pid for pid, parent in parents.items() if parent in more) - found
    return found


def _all() -> Iterator[tuple[int, Stat]]:
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has ended since it was listed
                yield int(entry.name), parse((entry / "stat").read_text(encoding="utf-8", errors="replace"))


def lasting(pids: Iterable[int]) -> frozenset[int]:
    """Without nginx's cache loader, which looks once at what is kept and ends a minute after it began."""
    return frozenset(pid for pid in pids if b"cache loader" not in (_PROC / str(pid) / "cmdline").read_bytes())


def cpu_seconds(pids: Iterable[int]) -> float:
    """Of all of them together, since each began. Raises OSError when one has ended: its time would be missing."""
    texts = [(_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace") for pid in pids]
    return sum(parse(text).ticks for text in texts) / _TICK


def pin(pids: Iterable[int], core: int) -> None:
    """Every thread of theirs; those that they start later inherit it."""
    for pid in pids:
        for thread in (_PROC / str(pid) / "task").iterdir():
            with contextlib.suppress(ProcessLookupError):
                os.sched_setaffinity(int(thread.name), {core})


def strays(pids: Iterable[int], core: int) -> list[int]:
    """The threads that may run elsewhere than on `core`."""
    threads = [int(thread.name) for pid in pids for thread in (_PROC / str(pid) / "task").iterdir()]
    return [thread for thread in threads if os.sched_getaffinity(thread) != {core}]
