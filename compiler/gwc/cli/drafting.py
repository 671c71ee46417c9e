"""A file of the build, written piece by piece beside its place, and only from where it differs from what is there.

Nobody holds the whole of it. The text of a part that was in an earlier build is copied from there (`gwc.cli.kept`),
and a file that comes out as it was is never written.
"""

from __future__ import annotations

import os
import shutil
import stat
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, BinaryIO

from gwc.cli.kept import KeptFile, Places
from gwc.cli.transaction import Mode
from gwc.parts import Part, Piece, made

if TYPE_CHECKING:
    from _hashlib import HASH

_BLOCK = 256 * 1024
"""Bytes that are read at once: the processor still has them when they are hashed and written."""
_BUFFER = memoryview(bytearray(_BLOCK))
_LEAST = 64 * 1024
"""Bytes that are worth a look at once: shorter pieces are put together first."""

Room = Callable[[Mode], tuple[str, BinaryIO]]
"""Gives a new file to write into."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What a file is to be. `staged` has it, unless it is there already; None, too, when it was only compared.

    `fit` as in `gwc.parts.Made`, of all its pieces. `places` say where its parts are, for the next build.
    """

    sha256: str
    same: bool
    staged: str | None
    mode: Mode
    fit: bool
    places: Places

    def holds(self, _path: str) -> bool:
        return self.same


class StaleError(OSError):
    """A file is not what it was: not the one that was remembered, or not any more the one that was there before."""

    def __init__(self) -> None:
        super().__init__(0, "it is changed while it is read")


class Present:
    """The file that is in its place, as far as it is one that could stay. What is read of it in turn is hashed."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.size = os.fstat(descriptor).st_size
        self._state, self._hashed = sha256(), 0

    def holds(self, offset: int, data: bytes) -> bool:
        return os.pread(self._descriptor, len(data), offset) == data

    def blocks(self, begin: int, end: int) -> Iterator[memoryview]:
        """What is between, or as much of it as is there. A block is good until the next one."""
        if begin > self._hashed:
            self._hash(begin)
        while begin < end:
            until = min(end, begin + _BLOCK) if begin >= self._hashed else min(end, begin + _BLOCK, self._hashed)
            block = _BUFFER[: os.preadv(self._descriptor, [_BUFFER[: until - begin]], begin)]
            if not block:
                return
            if begin == self._hashed:
                self._state.update(block)
                self._hashed += len(block)
            begin += len(block)
            yield block

    def _hash(self, end: int) -> None:
        for _ in self.blocks(self._hashed, end):
            pass

    def before(self, end: int) -> HASH:
        """The hash of what is before `end`, once all of that and nothing else was read. Raises StaleError."""
        if self._hashed != end:
            raise StaleError
        return self._state.copy()

    @cached_property
    def sha256(self) -> str:
        """Of the whole file, which is read to its end."""
        self._hash(sys.maxsize)
        return self._state.hexdigest()

    def close(self) -> None:
        os.close(self._descriptor)


def present(path: str, mode: Mode) -> Present | None:
    """None where there is no regular file with this mode that can be read: then it has to be replaced."""
    try:
        about = os.lstat(path)
        if not stat.S_ISREG(about.st_mode) or bool(about.st_mode & stat.S_IXUSR) != mode.executable:
            return None
        return Present(os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0)))
    except OSError:
        return None


@dataclass(frozen=True, slots=True)
class Place:
    """A file to be, and what is known of the parts that it had; None: nothing is to be known."""

    path: str
    kept: KeptFile | None = None


def draft(places: Sequence[Place], pieces: Callable[[], Iterable[Piece]], mode: Mode, room: Room | None) -> list[Draft]:
    """`pieces` as the file in each of `places`, made once for all of them. Without `room` they are compared only.

    Whether a file is the one that was remembered shows while it is copied, and what came of another one is thrown away.
    Raises OSError.
    """
    try:
        return _drafted(places, pieces(), mode, room)
    except StaleError:
        forgotten = [replace(place, kept=None if place.kept is None else place.kept.without()) for place in places]
        return _drafted(forgotten, pieces(), mode, room)


def _drafted(places: Sequence[Place], pieces: Iterable[Piece], mode: Mode, room: Room | None) -> list[Draft]:
    """Places that hold the same file come to hold one file again, by several names."""
    found = [*map(_held, places)]
    with ExitStack() as stack:
        pens = {held: stack.enter_context(_Pen(place, mode, room)) for held, place in _first(found, places).items()}
        fit = _Writer([*pens.values()]).put(pieces)
        drafts = {held: pen.drafted(fit=fit) for held, pen in pens.items()}
    return [_named(drafts[held], number, found.index(held)) for number, held in enumerate(found)]


_Held = tuple[int, int, str | None]
"""Which file it is, and what is remembered of it."""


def _held(place: Place) -> _Held:
    kept = None if place.kept is None else place.kept.sha256
    try:
        about = os.lstat(place.path)
    except OSError:
        return (0, 0, kept)  # nothing, or nothing that could be seen: then writing says so
    return (about.st_dev, about.st_ino, kept)


def _first(found: Sequence[_Held], places: Sequence[Place]) -> dict[_Held, Place]:
    return dict(reversed([*zip(found, places, strict=True)]))


def _named(draft: Draft, number: int, first: int) -> Draft:
    """A draft has one place. The others get another name of the file, which costs nothing whatever its size."""
    if draft.staged is None or number == first:
        return draft
    again = f"{draft.staged}-{number}"
    try:
        os.link(draft.staged, again)
    except OSError:
        shutil.copy(draft.staged, again)  # a file system without such names
    return replace(draft, staged=again)


class _Pen:
    """Writes one file, but not before the first byte that differs from what is there, and in portions worth a look."""

    def __init__(self, place: Place, mode: Mode, room: Room | None) -> None:
        self._there = present(place.path, mode)
        self._same, self.mode, self._room = self._there is not None, mode, room
        self.kept, self.places = place.kept, Places()
        self.known = place.kept.places if place.kept is not None and self._there is not None else {}
        self.offset = 0
        """Where the next byte comes to stand."""
        self._done = 0
        self._waiting: list[bytes] = []
        self._run: tuple[int, int] | None = None
        """What is to be copied: neighbours in the file that is there become neighbours again."""
        self._copies = False
        self._state = sha256()
        self._staged: str | None = None
        self._file: BinaryIO | None = None

    def __enter__(self) -> _Pen:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()
        if self._there is not None:
            self._there.close()

    def add(self, data: bytes) -> None:
        if self._run is not None:
            self._copy()
        self._waiting.append(data)
        self.offset += len(data)
        if self.offset - self._done >= _LEAST:
            self._flush()

    def copy(self, offset: int, length: int) -> None:
        """From the file that is there."""
        begin = end = offset
        if self._run is not None and self._run[1] == offset:
            begin = self._run[0]
        else:
            self._settle()
        self._run = (begin, end + length)
        self.offset += length

    def drafted(self, *, fit: bool) -> Draft:
        self._settle()
        if self._copies and (self._there is None or self.kept is None or self._there.sha256 != self.kept.sha256):
            raise StaleError
        if self._same and self._there is not None:
            if self._there.size == self.offset:
                return Draft(self._there.sha256, True, None, self.mode, fit, self.places)
            self._begin()
        if self._file is None:
            self._open()
        if self._file is not None:
            self._file.close()  # a full disk shows here at the latest
        return Draft(self._state.hexdigest(), False, self._staged, self.mode, fit, self.places)

    def _settle(self) -> None:
        if self._run is not None:
            self._copy()
        else:
            self._flush()

    def _copy(self) -> None:
        assert self._run is not None and self._there is not None
        (begin, end), self._run, self._copies = self._run, None, True
        if self._same and begin != self._done:
            self._begin()
        if not self._same:
            for block in self._there.blocks(begin, end):
                self._write(block)
                begin += len(block)
            if begin < end:
                raise StaleError  # copied, it would be a part of a part
        self._done = self.offset

    def _flush(self) -> None:
        if not self._waiting:
            return
        data = b"".join(self._waiting)
        self._waiting.clear()
        if self._same and self._there is not None and not self._there.holds(self._done, data):
            self._begin()
        if not self._same:
            self._write(data)
        self._done += len(data)

    def _begin(self) -> None:
        """From here on it differs: what came before is the same."""
        self._same = False
        if self._there is not None and self._done:
            for block in self._there.blocks(0, self._done):
                self._put(block)
            self._state = self._there.before(self._done)

    def _write(self, data: bytes | memoryview) -> None:
        self._state.update(data)
        self._put(data)

    def _put(self, data: bytes | memoryview) -> None:
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
        self._keeps = next((pen.kept for pen in pens if pen.kept is not None), None)

    def put(self, pieces: Iterable[Piece]) -> bool:
        """Whether all of them are fit."""
        for piece in pieces:
            if isinstance(piece, Part):
                self._part(piece)
            else:
                data, _ = self._made(piece)
                for pen in self._pens:
                    pen.add(data)
        return self._fit

    def _part(self, part: Part) -> None:
        data, fit = None, True
        key = None if self._keeps is None else self._keeps.key(part)
        for pen in self._pens:
            place = None if key is None else pen.known.get(key)
            begin = pen.offset
            if place is None:
                data, fit = self._made(part) if data is None else (data, fit)
                pen.add(data)
            else:
                pen.copy(*place)
            if key is not None and pen.kept is not None and fit:
                pen.places.note(key, begin, pen.offset - begin)  # an unfit one is made again, and judged each time

    def _made(self, piece: Piece) -> tuple[bytes, bool]:
        found = made(piece)
        self._fit = self._fit and found.fit
        return found.text.encode("utf-8"), found.fit
