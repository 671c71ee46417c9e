"""A log as entries: plain, gzip, Zstandard or standard input, in constant memory."""

from __future__ import annotations

import gzip
import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from typing import IO, cast

from gwc.replay.formats import FORMATS, Entry, LineError, detected
from gwc.source import STDIN

LONGEST = 1024 * 1024
"""Characters of a line; a longer one is damaged."""
PROBED = 100
"""Lines among which the first readable one tells the format."""
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"


class LogError(Exception):
    """A log that cannot be read; the message says why."""


@dataclass(slots=True)
class Counts:
    """`late` are lines whose time lies before that of an earlier one."""

    lines: int = 0
    damaged: int = 0
    late: int = 0


@contextmanager
def opened(path: str) -> Iterator[IO[str]]:
    """The text of a log, whatever it is packed in. Raises LogError."""
    try:
        raw = io.FileIO(sys.stdin.fileno(), closefd=False) if path == STDIN else io.FileIO(path)
    except OSError as error:
        raise LogError(f"{path}: {error.strerror}") from error
    with raw:
        yield io.TextIOWrapper(_unpacked(io.BufferedReader(raw), path), encoding="utf-8", errors="replace")


def _unpacked(raw: io.BufferedReader[io.FileIO], path: str) -> IO[bytes]:
    head = raw.peek(4)[:4]
    if head.startswith(_GZIP):
        return cast(IO[bytes], gzip.GzipFile(fileobj=raw))
    if head.startswith(_ZSTD):
        try:
            import zstandard
        except ImportError as error:
            raise LogError(f"{path} is Zstandard: pip install zstandard") from error
        unpacked = zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True)
        return cast(IO[bytes], io.BufferedReader(cast(io.RawIOBase, unpacked)))
    return raw


def entries(text: IO[str], form: str | None, counts: Counts, host: str = "") -> Iterator[Entry]:
    """Every readable line, and in `counts` the others. `host` is that of requests whose line names none.

    Raises LogError when none of the first lines is readable.
    """
    lines = _lines(text)
    probed = list(islice(lines, PROBED))
    chosen = form or next((name for line in probed if (name := detected(line))), None)
    if chosen is None and probed:
        raise LogError(f"none of the first {len(probed)} lines is in a known format: {', '.join(FORMATS)}")
    if chosen is None:
        return
    parse, latest = FORMATS[chosen], 0.0
    for line in chain(probed, lines):
        counts.lines += 1
        try:
            entry = parse(line)
        except LineError:
            counts.damaged += 1
            continue
        if entry.request.time < latest:
            counts.late += 1
            entry.request.time = latest  # a model's clock does not go back
        latest = entry.request.time
        entry.request.host = entry.request.host or host
        yield entry


def _lines(text: IO[str]) -> Iterator[str]:
    """Blank ones left out. One that does not end is cut, and its rest is another damaged one."""
    try:
        while line := text.readline(LONGEST):
            if not line.isspace():
                yield line
    except (OSError, EOFError) as error:
        raise LogError(f"the log ends in the middle: {error}") from error
