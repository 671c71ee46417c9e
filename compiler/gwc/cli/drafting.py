"""A file of the build, written piece by piece beside its place, and only from where it differs from what is there.

Nobody holds the whole of it. The text of a part that was in an earlier build is copied from there (`gwc.cli.kept`),
and a file that comes out as it was is never written.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from gwc.cli.kept import KeptFile, Places
from gwc.cli.transaction import Mode
from gwc.parts import Part, Piece, made

_BLOCK = 1024 * 1024
_LEAST = 64 * 1024
"""Bytes that are worth a look at once: shorter pieces are put together first."""

Room = Callable[[Mode], tuple[Path, BinaryIO]]
"""Gives a new file to write into."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What a file is to be. `staged` has it, unless it is there already; None, too, when it was only compared.

    `fit` as in `gwc.parts.Made`, of all its pieces. `places` say where its parts are, for the next build.
    """

    sha256: str
    same: bool
    staged: Path | None
    mode: Mode
    fit: bool
    places: Places

    def holds(self, _path: Path) -> bool:
        return self.same


class Present:
    """The file that is in its place, as far as it is one that could stay."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.size = os.fstat(descriptor).st_size

    def read(self, offset: int, length: int) -> bytes:
        return os.pread(self._descriptor, length, offset)

    @cached_property
    def sha256(self) -> str:
        state, offset = sha256(), 0
        while block := self.read(offset, _BLOCK):
            state.update(block)
            offset += len(block)
        return state.hexdigest()

    def close(self) -> None:
        os.close(self._descriptor)


def present(path: Path, mode: Mode) -> Present | None:
    """None where there is no regular file with this mode that can be read: then it has to be replaced."""
    try:
        about = path.lstat()
        if not stat.S_ISREG(about.st_mode) or bool(about.st_mode & stat.S_IXUSR) != mode.executable:
            return None
        return Present(os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0)))
    except OSError:
        return None


def draft(path: Path, pieces: Iterable[Piece], mode: Mode, kept: KeptFile | None, room: Room | None) -> Draft:
    """`pieces` as the file `path`. Without `room` it is compared only. Raises OSError."""
    there = present(path, mode)
    try:
        known = None if kept is None else kept.of(there.sha256 if there is not None and kept.sha256 else "")
        with _Pen(there, mode, room) as pen:
            return _Writer(pen, known).put(pieces)
    finally:
        if there is not None:
            there.close()


class _Pen:
    """Writes, but not before the first byte that differs from what is there."""

    def __init__(self, there: Present | None, mode: Mode, room: Room | None) -> None:
        self._there, self._same, self.mode, self._room = there, there is not None, mode, room
        self.offset = 0
        self._state = sha256()
        self._staged: Path | None = None
        self._file: BinaryIO | None = None

    def __enter__(self) -> _Pen:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, data: bytes) -> None:
        if self._same and self._there is not None and self._there.read(self.offset, len(data)) != data:
            self._begin()
        if not self._same:
            self._write(data)
        self.offset += len(data)

    def copy(self, offset: int, length: int) -> None:
        """What is there at `offset`."""
        if self._same and offset == self.offset:
            self.offset += length
        elif self._there is not None:
            self.add(self._there.read(offset, length))

    def done(self) -> tuple[str, bool, Path | None]:
        if self._same and self._there is not None:
            if self._there.size == self.offset:
                return self._there.sha256, True, None
            self._begin()
        if self._file is None:
            self._open()
        if self._file is not None:
            self._file.close()  # a full disk shows here at the latest
        return self._state.hexdigest(), False, self._staged

    def _begin(self) -> None:
        """From here on it differs: what came before is the same."""
        self._same = False
        offset = 0
        while self._there is not None and offset < self.offset:
            block = self._there.read(offset, min(_BLOCK, self.offset - offset))
            self._write(block)
            offset += len(block)

    def _write(self, data: bytes) -> None:
        self._state.update(data)
        if self._file is None:
            self._open()
        if self._file is not None:
            self._file.write(data)

    def _open(self) -> None:
        if self._room is not None:
            self._staged, self._file = self._room(self.mode)


@dataclass(slots=True)
class _Writer:
    """Pieces for a pen, which gets them in portions that are worth it."""

    pen: _Pen
    kept: KeptFile | None
    fit: bool = True
    places: Places = field(default_factory=Places)
    _waiting: list[bytes] = field(default_factory=list)
    _size: int = 0

    def put(self, pieces: Iterable[Piece]) -> Draft:
        for piece in pieces:
            if isinstance(piece, Part) and self.kept is not None:
                self._part(piece, self.kept)
            else:
                self._text(piece)
        self._flush()
        sha, same, staged = self.pen.done()
        return Draft(sha, same, staged, self.pen.mode, self.fit, self.places)

    def _part(self, part: Part, kept: KeptFile) -> None:
        key = kept.key(part)
        place = kept.places.get(key)
        begin = self.pen.offset + self._size
        if place is None:
            self._text(part)
        else:
            self._flush()
            self.pen.copy(*place)
        self.places.note(key, begin, self.pen.offset + self._size - begin)

    def _text(self, piece: Piece) -> None:
        found = made(piece)
        self.fit = self.fit and found.fit
        data = found.text.encode("utf-8")
        self._waiting.append(data)
        self._size += len(data)
        if self._size >= _LEAST:
            self._flush()

    def _flush(self) -> None:
        if self._waiting:
            self.pen.add(b"".join(self._waiting))
            self._waiting.clear()
            self._size = 0
