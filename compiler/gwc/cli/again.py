"""`gwc lint` and `gwc compile` of what has not changed: the last answer once more, without looking anything up but the
files themselves. For compile these are its outputs, too.

An answer is known by the words of the command line, the directory, the day, and what else decides how it is printed.
It comes with notes of everything on the disk that it was made from, gwc's own code included, and holds only while all
of that is the same, by content. Whatever is unclear is run anew: an answer that cannot be repeated is never kept.
"""

from __future__ import annotations

import os
import sys
import time

from gwc import __version__, observed
from gwc.cache import digest, usable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import NoReturn

NO_CACHE = "--no-cache"
_COMMANDS = ("lint", "compile")
_WRITING = ("--fix", "--write-baseline", "--with-secrets", "--emit")
_ASKING = ("-", "--changed", "--help", "-h")
"""Words that read something besides files: standard input, git, the program itself."""
_ASKING_MORE = (*_WRITING, "--changed=")
_SHOWN = ("TERM", "NO_COLOR")
_FEW = 64
"""The words of a command line that is worth a look; changed files by the thousand hardly come again."""


class _Pending:
    """The key of the run in progress. None: its answer is not wanted."""

    key: str | None = None


def answered(argv: Sequence[str]) -> int | None:
    """Prints the answer to `argv` where it is known, and returns its exit code; otherwise waits for `keep`."""
    if not _repeatable(argv) or (cache := usable()) is None:
        return None
    try:
        key = _key(argv)
        found = cache.get(key)
        known = None if found is None else _valid(found)
    except OSError:
        return None  # the directory that we are in is gone: what is to be read says so better
    finally:
        cache.close()
    if known is None:
        _Pending.key = key
        observed.begin()
        return None
    code, told, text = known
    try:
        sys.stderr.buffer.write(told)
        sys.stderr.flush()
        sys.stdout.buffer.write(text)
        sys.stdout.flush()
    except OSError as error:
        return _unsaid(error)
    return code


def _unsaid(error: OSError) -> int:
    """The disk is full, or the reader has left: it ends as a whole run would."""
    from gwc.cli.guard import outcome  # which takes longer to import than an answer to print

    def fail() -> NoReturn:
        raise error

    return int(outcome(fail))


def wanted() -> bool:
    """Whether the run in progress may be repeated."""
    return _Pending.key is not None


def keep(code: int, text: str, told: str = "") -> None:
    """What a run like the one in progress will print, on standard error `told` before it, and end with.

    It prints and writes nothing else that matters: what it has written is noted, and holds.
    """
    key, _Pending.key = _Pending.key, None
    if key is None:
        return
    notes = (*observed.end(), *observed.code(_programs()))
    printed = text.encode(sys.stdout.encoding, "backslashreplace")
    if (cache := usable()) is not None:
        try:
            cache.put(key, _packed(code, notes, told.encode(sys.stderr.encoding, "backslashreplace"), printed))
        finally:
            cache.close()


def _repeatable(argv: Sequence[str]) -> bool:
    if argv[0] not in _COMMANDS or len(argv) > _FEW or NO_CACHE in argv or sys.stdout is None or sys.stderr is None:
        return False
    return not any(word in _ASKING or word.endswith("=-") or word.startswith(_ASKING_MORE) for word in argv)


def _key(argv: Sequence[str]) -> str:
    how = (str(sys.stdout.isatty()), sys.stdout.encoding, *(os.environ.get(name, "") for name in _SHOWN))
    where = (os.getcwd(), time.strftime("%Y-%m-%d"))
    return digest("answer", __version__, sys.version, sys.executable, *sys.path, "", *how, *where, *argv)


def _programs() -> Iterator[str]:
    """Where installing anything leaves a trace, gwc's own code, and what is installed nowhere."""
    here = ("", os.getcwd())
    yield from (path for path in sys.path if path not in here)
    library = os.path.dirname(os.__file__)
    for name, module in list(sys.modules.items()):
        path = getattr(module, "__file__", None)
        installed = path is None or path.startswith(library) or "-packages" in path
        if path is not None and (not installed or name.partition(".")[0].startswith("gwc")):
            yield path
        if path is not None and not installed and name.startswith("gwc_") and "." not in name:
            yield from _shipped(os.path.dirname(path))


def _shipped(package: str) -> Iterator[str]:
    """What a target ships besides its code, where it is worked on: scripts and templates that it renders."""
    for folder, _, files in os.walk(package):
        yield from (os.path.join(folder, file) for file in files if not file.endswith((".py", ".pyc")))


def _packed(code: int, notes: Sequence[observed.Note], told: bytes, text: bytes) -> bytes:
    words = (str(code), str(len(told)), str(len(notes)), *(word for note in notes for word in note))
    return b"\0".join((*map(os.fsencode, words), told + text))


def _valid(entry: bytes) -> tuple[int, bytes, bytes] | None:
    """The exit code and what is printed, if nothing has changed that they were made from."""
    try:
        code, length, count, rest = entry.split(b"\0", 3)
        *words, said = rest.split(b"\0", 3 * int(count))
        seen = list(map(os.fsdecode, words))
        notes = zip(seen[::3], seen[1::3], seen[2::3], strict=True)
        if len(seen) != 3 * int(count) or not observed.unchanged(notes):
            return None
        return int(code), said[: int(length)], said[int(length) :]
    except (ValueError, KeyError):
        return None  # kept by another state of gwc, in another form
