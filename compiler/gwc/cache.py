"""Results of earlier runs, kept by the hash of everything that they were made from.

Whoever can write here can change what gwc says, so the directory has to be the user's alone; an entry is bytes and a
digest, never something that is run or unpickled. An entry that is missing, damaged, or another user's is a miss, and
a cache that cannot be used is no error: gwc then works as it does without one.

The standard library's cheapest modules only: a run that has nothing to do takes not much longer than it takes to
import them.
"""

from __future__ import annotations

import os
import stat
import sys
import time
from _blake2 import blake2b  # as hashlib does, without the OpenSSL that it loads for other hashes

TYPE_CHECKING = False
if TYPE_CHECKING:  # without typing, which is dearer than all of this
    from collections.abc import Iterable, Iterator

DIRECTORY, OFF = "GWC_CACHE_DIR", "GWC_NO_CACHE"
"""Environment variables: where the cache is; and that there is none, whatever the value."""

LIMIT = 256 * 1024 * 1024
"""Bytes of all entries. What was not used for longest goes first."""
MAX_ENTRY = LIMIT // 8

_FORMAT = b"gwc cache 1\n"
_DIGEST = 32
_BLOCK = 4096  # what a small file takes on a disk
_FRESH = 3600.0  # seconds in which an entry counts as used just now, and a temporary file as still being written
_READ = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


def digest(*parts: bytes | str) -> str:
    """A hash of `parts`, in hexadecimal, that also tells ("ab", "c") from ("a", "bc")."""
    return _hash(part if isinstance(part, bytes) else part.encode("utf-8", "surrogateescape") for part in parts).hex()


def _hash(parts: Iterable[bytes]) -> bytes:
    state = blake2b(digest_size=_DIGEST)
    for part in parts:
        state.update(len(part).to_bytes(8, "big"))
        state.update(part)
    return state.digest()


class Cache:
    """Entries by key. Safe beside other processes on the same directory, which may write or remove what they like."""

    def __init__(self, directory: int, limit: int = LIMIT) -> None:
        """`directory` is a descriptor, so that nobody can put another directory in its place."""
        self._at, self._limit, self._unseen = directory, limit, limit

    def close(self) -> None:
        os.close(self._at)

    def get(self, key: str) -> bytes | None:
        """What was put under `key`; None where nothing usable is."""
        try:
            file = os.open(digest(key), _READ, dir_fd=self._at)
        except OSError:
            return None
        try:
            return _payload(key, _entry(file))
        except OSError:
            return None
        finally:
            os.close(file)

    def put(self, key: str, data: bytes) -> None:
        """Keeps `data`, unless it is too large or cannot be written: then there is nothing to find next time."""
        head = _FORMAT + _seal(key, data)  # apart from the data, of which a second copy would be as large
        size = len(head) + len(data)
        if size > min(MAX_ENTRY, self._limit) or not self._written(digest(key), head, data):
            return
        self._unseen += max(size, _BLOCK)
        if self._unseen > self._limit // 16:
            self._evict()
            self._unseen = 0

    def _written(self, name: str, *entry: bytes) -> bool:
        """Under a name of its own first: a reader finds the whole entry or none."""
        temporary = f"{name}.{os.getpid()}.{time.monotonic_ns()}"
        try:
            file = os.open(temporary, _WRITE, 0o600, dir_fd=self._at)
        except OSError:
            return False
        try:
            for part in entry:
                _write_all(file, part)
            os.rename(temporary, name, src_dir_fd=self._at, dst_dir_fd=self._at)
        except OSError:
            self._remove(temporary)
            return False
        finally:
            os.close(file)
        return True

    def _evict(self) -> None:
        """Down to three quarters of the limit where it is exceeded; and what interrupted processes left."""
        kept: list[tuple[float, int, str]] = []
        for name, about in self._entries():
            if "." in name and about.st_mtime < time.time() - _FRESH:
                self._remove(name)
            else:
                kept.append((about.st_mtime, max(about.st_size, _BLOCK), name))
        total = sum(size for _, size, _ in kept)
        excess = total - self._limit * 3 // 4 if total > self._limit else 0
        for _, size, name in sorted(kept):
            if excess <= 0:
                return
            self._remove(name)
            excess -= size

    def _entries(self) -> Iterator[tuple[str, os.stat_result]]:
        for name in os.listdir(self._at):
            try:
                yield name, os.stat(name, dir_fd=self._at, follow_symlinks=False)
            except OSError:
                continue  # another process was faster

    def _remove(self, name: str) -> None:
        try:
            os.unlink(name, dir_fd=self._at)
        except OSError:
            return  # another process was faster


def usable(limit: int = LIMIT) -> Cache | None:
    """The user's cache; None where it is switched off, or where it would not be the user's alone. To be closed."""
    if os.environ.get(OFF) or (path := location()) is None or not hasattr(os, "geteuid"):
        return None
    try:
        _make(path)
        directory = os.open(path, _READ | os.O_DIRECTORY)
    except OSError:
        return None
    if _private(os.fstat(directory), stat.S_IFDIR):
        return Cache(directory, limit)
    os.close(directory)
    return None


def location() -> str | None:
    """Where the cache is, or would be; None where nobody says."""
    if chosen := os.environ.get(DIRECTORY):
        return os.path.abspath(chosen)
    base = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base):  # the specification: a relative one is to be ignored
        home = os.environ.get("HOME", "")
        base = os.path.join(home, ".cache") if os.path.isabs(home) else ""
    return os.path.join(base, "gwc") if base else None


def _make(path: str) -> None:
    """Raises OSError."""
    if os.path.isdir(path):
        return
    if not os.environ.get(DIRECTORY) and not _in_own_home(path):
        raise PermissionError(path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        return  # another process was faster


def _in_own_home(path: str) -> bool:
    """Under sudo the home may be another user's, who could not use what is made there."""
    while not os.path.exists(path):
        path = os.path.dirname(path)
    return os.stat(path).st_uid == os.geteuid()


def _private(about: os.stat_result, kind: int) -> bool:
    """Whether it is the user's own, of this kind, and nobody else may write to it."""
    return stat.S_IFMT(about.st_mode) == kind and about.st_uid == os.geteuid() and not about.st_mode & 0o022


def _entry(file: int) -> bytes:
    """Empty where it is none. Raises OSError."""
    about = os.fstat(file)
    if not _private(about, stat.S_IFREG) or about.st_size > MAX_ENTRY:
        return b""
    if about.st_mtime < time.time() - _FRESH:
        os.utime(file)  # the newest are kept longest
    return _read(file, about.st_size)


def _read(file: int, size: int) -> bytes:
    parts = []
    while part := os.read(file, size + 1):
        parts.append(part)
    return b"".join(parts)


def _write_all(file: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file, rest) :]


def _seal(key: str, data: bytes) -> bytes:
    """Binds an entry to its key: one that was renamed is damaged, too."""
    return _hash((key.encode("utf-8", "surrogateescape"), data))


def _payload(key: str, entry: bytes) -> bytes | None:
    begin = len(_FORMAT) + _DIGEST
    data = entry[begin:]
    intact = entry.startswith(_FORMAT) and entry[len(_FORMAT) : begin] == _seal(key, data)
    return data if intact else None


def compiler(*packages: str) -> str:
    """A hash of the program that makes the results: gwc's own code, and that of other `packages`, directories.

    By content, for the times of files mean nothing where programs are installed anew for each run.
    """
    own = os.path.dirname(os.path.abspath(__file__))
    parts = [sys.version.encode()]
    for directory in (own, *sorted(packages)):
        for path in sorted(_code(directory)):
            with open(path, "rb") as file:
                parts += [os.fsencode(os.path.relpath(path, directory)), file.read()]
    return _hash(parts).hex()


def _code(directory: str) -> Iterator[str]:
    for at, below, names in os.walk(directory):
        below[:] = [name for name in below if name != "__pycache__"]
        yield from (os.path.join(at, name) for name in names)
