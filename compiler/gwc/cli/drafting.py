"""A file of the build, written piece by piece beside its place, and only from where it differs from what is there.

Nobody holds the whole of it. The text of a part that was in an earlier build is copied from there (`gwc.cli.kept`),
and a file that comes out as it was is never written.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Place:
    """A file to be, and what is known of the parts that it had; None: nothing is to be known."""

    path: Path
    kept: KeptFile | None = None


def draft(places: Sequence[Place], pieces: Iterable[Piece], mode: Mode, room: Room | None) -> list[Draft]:
    """`pieces` as the file in each of `places`, made once for all of them. Without `room` they are compared only.

    Raises OSError.
    """
    with ExitStack() as stack:
        writer = _Writer([stack.enter_context(_Pen(place, mode, room)) for place in places])
        return writer.put(pieces)


class _Pen:
    """Writes one file, but not before the first byte that differs from what is there, and in portions worth a look."""

    def __init__(self, place: Place, mode: Mode, room: Room | None) -> None:
        there = present(place.path, mode)
        known = None if place.kept is None else place.kept.of(there.sha256 if there and place.kept.sha256 else "")
        self._there, self._same, self.mode, self._room = there, there is not None, mode, room
        self.kept, self.places = known, Places()
        self.offset = 0
        """Where the next byte comes to stand."""
        self._done = 0
        self._waiting: list[bytes] = []
        self._state = sha256()
        self._staged: Path | None = None
        self._file: BinaryIO | None = None

    def __enter__(self) -> _Pen:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()
        if self._there is not None:
            self._there.close()

    def add(self, data: bytes) -> None:
        self._waiting.append(data)
        self.offset += len(data)
        if self.offset - self._done >= _LEAST:
            self._flush()

    def copy(self, offset: int, length: int) -> None:
        """What is there at `offset`."""
        self._flush()
        if self._same and offset == self.offset:
            self.offset = self._done = offset + length
        elif self._there is not None:
            data = self._there.read(offset, length)
            if len(data) < length:
                raise OSError(0, "it was cut short while it was read")  # copied, it would be a part of a part
            self.add(data)

    def drafted(self, *, fit: bool) -> Draft:
        self._flush()
        if self._same and self._there is not None:
            if self._there.size == self.offset:
                return Draft(self._there.sha256, True, None, self.mode, fit, self.places)
            self._begin()
        if self._file is None:
            self._open()
        if self._file is not None:
            self._file.close()  # a full disk shows here at the latest
        return Draft(self._state.hexdigest(), False, self._staged, self.mode, fit, self.places)

    def _flush(self) -> None:
        if not self._waiting:
            return
        data = b"".join(self._waiting)
        self._waiting.clear()
        if self._same and self._there is not None and self._there.read(self._done, len(data)) != data:
            self._begin()
        if not self._same:
            self._write(data)
        self._done += len(data)

    def _begin(self) -> None:
        """From here on it differs: what came before is the same."""
        self._same = False
        offset = 0
        while self._there is not None and offset < self._done:
            block = self._there.read(offset, min(_BLOCK, self._done - offset))
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


class _Writer:
    """Pieces for pens. What none of them has from before is made, once."""

    def __init__(self, pens: Sequence[_Pen]) -> None:
        self._pens, self._fit = pens, True

    def put(self, pieces: Iterable[Piece]) -> list[Draft]:
        for piece in pieces:
            if isinstance(piece, Part):
                self._part(piece)
            else:
                data, _ = self._made(piece)
                for pen in self._pens:
                    pen.add(data)
        return [pen.drafted(fit=self._fit) for pen in self._pens]

    def _part(self, part: Part) -> None:
        data, fit = None, True
        for pen in self._pens:
            key = None if pen.kept is None else pen.kept.key(part)
            place = pen.kept.places.get(key) if pen.kept is not None and key is not None else None
            begin = pen.offset
            if place is None:
                data, fit = self._made(part) if data is None else (data, fit)
                pen.add(data)
            else:
                pen.copy(*place)
            if key is not None and fit:
                pen.places.note(key, begin, pen.offset - begin)  # an unfit one is made again, and judged each time

    def _made(self, piece: Piece) -> tuple[bytes, bool]:
        found = made(piece)
        self._fit = self._fit and found.fit
        return found.text.encode("utf-8"), found.fit
