"""What a run looks at on the disk, noted down so that a later run can tell whether it would see the same.

Whoever reads a file, lists a directory or asks whether something is there says so here. It is noted before the look
itself, or from the very bytes that were read: what changes in between then differs from the note, and not from what
the run saw. The standard library's cheapest modules only, as in `gwc.cache`.
"""

from __future__ import annotations

import os
import stat

from gwc.cache import digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

Note = tuple[str, str, str]
"""What was looked at: a kind, its print, a path."""

FILE, LISTING, KIND, TARGET, CODE, OUTPUT = "file", "listing", "kind", "target", "code", "output"
_NOTHING, _BOTH = "-", "differs from itself"
_PIECE = 1024 * 1024


class _Notes:
    """Those of this process. None: nobody wants them."""

    taken: dict[tuple[str, str], str] | None = None


def begin() -> None:
    """From now on, notes are taken."""
    _Notes.taken = {}


def end() -> tuple[Note, ...]:
    """The notes since `begin`, and no more of them are taken."""
    taken, _Notes.taken = _Notes.taken or {}, None
    return tuple((kind, seen, path) for (kind, path), seen in taken.items())


def file(path: str, data: bytes | None = None) -> None:
    """`path` is about to be read, or held `data` when it was. What changes between two looks never is again."""
    if _Notes.taken is not None:
        seen = _of_file(path) if data is None else digest(data)
        _Notes.taken[FILE, path] = seen if _Notes.taken.get((FILE, path), seen) == seen else _BOTH


def listing(path: str) -> None:
    """The names and kinds in the directory `path` are about to be asked for."""
    if _Notes.taken is not None:
        _Notes.taken.setdefault((LISTING, path), _of_listing(path))


def kind(path: str) -> None:
    """Somebody is about to ask whether `path` is there, and whether it is a directory."""
    if _Notes.taken is not None:
        _Notes.taken.setdefault((KIND, path), _of_kind(path))


def target(path: str) -> None:
    """Somebody is about to follow the links that `path` consists of."""
    if _Notes.taken is not None:
        _Notes.taken.setdefault((TARGET, path), os.path.realpath(path))


def output(path: str, sha256: str, executable: bool) -> None:
    """`path` holds what has this digest, in hexadecimal; somebody would write it if it did not."""
    if _Notes.taken is not None:
        _Notes.taken[OUTPUT, path] = f"{sha256} {executable}"


def code(paths: Iterable[str]) -> tuple[Note, ...]:
    """Programs, which by their size and time say enough: nobody edits them as often as policies."""
    return tuple((CODE, _of_code(path), path) for path in paths)


def unchanged(notes: Iterable[Note]) -> bool:
    """Whether whoever looked again would see the same."""
    return all(_PRINTS[kind](path) == seen for kind, seen, path in notes)


def _opened(path: str, *, follow: bool) -> int | None:
    """A file, if it is one. Nothing else is opened: who writes to a pipe would take us for its reader, and lose it."""
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | (0 if follow else getattr(os, "O_NOFOLLOW", 0))
    try:
        return os.open(path, flags) if stat.S_ISREG(os.stat(path, follow_symlinks=follow).st_mode) else None
    except OSError:
        return None


def _of_file(path: str) -> str:
    descriptor = _opened(path, follow=True)
    if descriptor is None:
        return _NOTHING
    try:
        about = os.fstat(descriptor)
        return digest(*_blocks(descriptor, about.st_size)) if stat.S_ISREG(about.st_mode) else _NOTHING
    except OSError:
        return _NOTHING
    finally:
        os.close(descriptor)


def _blocks(descriptor: int, size: int) -> Iterator[bytes]:
    """All of the file, in one piece."""
    parts = []
    while part := os.read(descriptor, size + 1):
        parts.append(part)
    yield b"".join(parts)


def _of_output(path: str) -> str:
    """Piece by piece, for outputs are of any size. A link is none, wherever it leads."""
    descriptor = _opened(path, follow=False)
    if descriptor is None:
        return _NOTHING
    try:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            return _NOTHING
        from hashlib import sha256  # with OpenSSL, which nothing else here needs

        state = sha256()
        while part := os.read(descriptor, _PIECE):
            state.update(part)
        return f"{state.hexdigest()} {bool(about.st_mode & stat.S_IXUSR)}"
    except OSError:
        return _NOTHING
    finally:
        os.close(descriptor)


def _of_listing(path: str) -> str:
    try:
        with os.scandir(path) as entries:
            return digest(*sorted(f"{entry.name}/{_kind(entry)}" for entry in entries))
    except OSError:
        return _NOTHING


def _kind(entry: os.DirEntry[str]) -> str:
    """Of what a link leads to, and that it is one: who walks through directories follows none."""
    link = "l" if entry.is_symlink() else ""
    return link + ("d" if entry.is_dir() else "f" if entry.is_file() else _NOTHING)


def _of_kind(path: str) -> str:
    return "d" if os.path.isdir(path) else "f" if os.path.isfile(path) else _NOTHING


def _of_code(path: str) -> str:
    try:
        about = os.stat(path)
    except OSError:
        return _NOTHING
    return f"{about.st_mtime_ns} {about.st_size} {about.st_ino}"


_PRINTS: dict[str, Callable[[str], str]] = {
    FILE: _of_file,
    LISTING: _of_listing,
    KIND: _of_kind,
    TARGET: os.path.realpath,
    CODE: _of_code,
    OUTPUT: _of_output,
}
