"""Reading policies: a directory, a single file or standard input become Sources.

A file that cannot be read is a SourceError (exit 2); one that is not UTF-8 is a finding with a position (GWC014).
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from gwc import observed
from gwc.diagnostics import Report, Span
from gwc.frozen import dataclass

if TYPE_CHECKING:
    from io import FileIO
    from pathlib import Path  # whose import takes as long as linting a file

STDIN = "-"
"""The path that means standard input, and its name."""

MAX_BYTES = 1024 * 1024
"""Of one policy. A policy is a few kilobytes; more is a mistake or an attack."""

_PIECE = 64 * 1024
_SUFFIXES = (".yaml", ".yml")
_NOWHERE = (errno.ENOENT, errno.ENOTDIR, errno.EBADF, errno.ELOOP)
_BOM = "\ufeff"


class SourceError(Exception):
    """A path that cannot be read; the message names it and says why."""


@dataclass(frozen=True, slots=True)
class Source:
    """One policy's text. `name` is how messages call it: relative to the current directory where that is possible."""

    name: str
    text: str

    @property
    def directory(self) -> Path:
        """What the file references of this policy are relative to; the current directory for standard input."""
        from pathlib import Path

        return Path() if self.name == STDIN else Path(self.name).parent


def policy_name(name: str) -> str:
    """A source's name relative to the policies directory, so that the place of the checkout does not matter."""
    from pathlib import PurePosixPath

    return STDIN if name == STDIN else PurePosixPath(name).name


def read_policies(path: str, report: Report) -> tuple[Source, ...]:
    """The policies at `path`: a directory's (sorted by name, not recursive), a file, or `-`. Raises SourceError."""
    return tuple(source for file in policy_files(path) if (source := read_source(file, report)) is not None)


def policy_files(path: str) -> tuple[str, ...]:
    """The paths that `path` stands for. Raises SourceError."""
    if path == STDIN or not is_directory(path):
        return (path,)
    files = tuple(sorted(_policies_in(normal(path))))
    if not files:
        raise SourceError(f"{path}: the directory holds no policies (*.yaml, *.yml)")
    return files


def is_directory(path: str) -> bool:
    observed.kind(path)
    return _is(stat.S_ISDIR, path)


def is_file(path: str) -> bool:
    observed.kind(path)
    return _is(stat.S_ISREG, path)


def _is(kind: Callable[[int], bool], path: str) -> bool:
    """As pathlib asks: what cannot be looked at, for want of permission, is no answer but an OSError."""
    try:
        return kind(os.stat(normal(path)).st_mode)
    except OSError as error:
        if error.errno in _NOWHERE:
            return False
        raise
    except ValueError:
        return False  # no path at all


def read_source(path: str, report: Report) -> Source | None:
    """One policy, or None after a finding. Raises SourceError."""
    name = STDIN if path == STDIN else display_name(path)
    return decoded(name, _read(path), report)


def decoded(name: str, data: bytes, report: Report) -> Source | None:
    """The policy that `data` is, or None after a finding. Raises SourceError."""
    if len(data) > MAX_BYTES:
        raise SourceError(f"{name}: larger than {MAX_BYTES // 1024} KiB, the bound for a policy")
    text = _decode(name, data, report)
    return None if text is None else Source(name, text)


def is_policy(name: str) -> bool:
    """Whether a file of this name in a directory of policies is one. Hidden files are an editor's business."""
    return name.endswith(_SUFFIXES) and name.rpartition("/")[2] not in _SUFFIXES and not name.startswith(".")


def display_name(path: Path | str) -> str:
    """`path` relative to the current directory if it lies below, otherwise as it was given; forward slashes."""
    text = normal(str(path))
    if os.path.isabs(text):
        here = os.getcwd()
        text = "." if text == here else text.removeprefix(os.path.join(here, ""))
    return text.replace(os.sep, "/")


def normal(path: str) -> str:
    """As pathlib writes it, which is asked only about what it could write otherwise."""
    if path and os.sep == "/" and not path.endswith("/") and "//" not in path and "." not in path.split("/"):
        return path
    from pathlib import Path

    return str(Path(path))


def _policies_in(directory: str) -> list[str]:
    observed.listing(directory)
    try:
        with os.scandir(directory) as entries:
            names = [entry.name for entry in entries if is_policy(entry.name) and not _is_directory(entry)]
        return names if directory == "." else [os.path.join(directory, name) for name in names]
    except OSError as error:
        raise SourceError(f"{directory}: {error.strerror}") from error


def _is_directory(entry: os.DirEntry[str]) -> bool:
    """A link that leads nowhere, or to itself, is none, so that reading it fails: no policy is left out silently."""
    try:
        return entry.is_dir()
    except OSError as error:
        if error.errno in _NOWHERE:
            return False
        raise


def _read(path: str) -> bytes:
    try:
        if path == STDIN:
            return sys.stdin.buffer.read(MAX_BYTES + 1)
        with open(normal(path), "rb", buffering=0) as file:
            data = _bounded(file)
        observed.file(path, data)
        return data
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}") from error


def _bounded(file: FileIO) -> bytes:
    """All of it, or one byte more than a policy may have; in pieces, for a pipe gives what it has."""
    parts, left = [], MAX_BYTES + 1
    while left and (part := file.read(min(left, _PIECE))):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def _decode(name: str, data: bytes, report: Report) -> str | None:
    try:
        return data.decode("utf-8").removeprefix(_BOM)
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8").removeprefix(_BOM)
        line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
        report.error(
            "GWC014",
            Span(name, line, column, line, column + 1),
            f"byte 0x{data[error.start]:02x} is not UTF-8",
            hint="save the file as UTF-8",
        )
        return None
