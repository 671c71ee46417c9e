"""Several files put into a directory, all of them or none."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO


@dataclass(frozen=True, slots=True)
class Mode:
    """How a file may be used. A private one is for its owner's eyes only, and so is its directory."""

    executable: bool = False
    private: bool = False

    @property
    def bits(self) -> int:
        """Less the umask, as for any file that a program creates."""
        return 0o600 if self.private else 0o777 if self.executable else 0o666


PLAIN = Mode()

_STAGING = ".gwc-"
_ABANDONED = 24 * 3600.0  # seconds


class Transaction:
    """Stages new files beside their places, then puts them there one by one; whatever fails, undoes what was done.

    Nothing is made before the first file is staged.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._staged: dict[str, tuple[str, Mode]] = {}
        self._changed: list[tuple[str, str | None]] = []
        """Places, each with the copy of what was there."""
        self._drafts = self._backups = 0
        self._ready: set[tuple[str, bool]] = set()
        self._emptied: list[Path] = []
        self._created: list[Path] = []

    def __enter__(self) -> Transaction:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._undo()
        if "_staging" in vars(self):
            shutil.rmtree(self._staging, ignore_errors=True)  # by now the outcome is settled; a leftover is private
        remove_empty(self._emptied if kind is None else self._created)

    def _undo(self) -> None:
        """All of it, the last first; raises the first fault afterwards."""
        faults = []
        for place, copy in reversed(self._changed):
            try:
                if copy is None:
                    Path(place).unlink(missing_ok=True)
                else:
                    Path(copy).replace(place)
            except OSError as fault:
                faults.append(fault)
        if faults:
            raise faults[0]

    @cached_property
    def _staging(self) -> str:
        self._created.extend(make_directories(self._directory))
        _sweep(self._directory)
        return tempfile.mkdtemp(prefix=_STAGING, dir=self._directory)

    def begin(self) -> None:
        """Make room for drafts, so that other processes find it. Raises OSError."""
        assert self._staging

    def draft(self, mode: Mode) -> tuple[str, BinaryIO]:
        """A new file where nobody looks, to be written and then to be staged; a full disk shows there."""
        self._drafts += 1
        place = f"{self._staging}/new-{os.getpid()}-{self._drafts}"
        return place, os.fdopen(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode.bits), "wb")

    def stage(self, path: str, draft: str, mode: Mode) -> None:
        """`draft` is what `path` becomes."""
        self._staged[path] = (draft, mode)

    def commit(self, remove: tuple[str, ...]) -> None:
        for path, (draft, mode) in self._staged.items():
            self._make_parents(path, mode)
            self._back_up(path)
            Path(draft).replace(self._directory / path)
        for path in remove:
            self._check_inside((self._directory / path).parent)
            self._back_up(path)
            (self._directory / path).unlink()
            self._emptied.extend(_parents_below(self._directory, path))

    def _make_parents(self, path: str, mode: Mode) -> None:
        """Once for each directory, whether or not it is private."""
        where = (path.rpartition("/")[0], mode.private)
        if where in self._ready:
            return
        self._ready.add(where)
        parent = (self._directory / path).parent
        self._created.extend(make_directories(parent))
        self._check_inside(parent)
        if mode.private:
            parent.chmod(0o700)

    def _check_inside(self, parent: Path) -> None:
        if not parent.resolve().is_relative_to(self._directory.resolve()):
            raise OSError(0, "a symbolic link leads out of the build directory", str(parent))

    def _back_up(self, path: str) -> None:
        place = f"{self._directory}/{path}"
        if not os.path.lexists(place):
            self._changed.append((place, None))
            return
        self._backups += 1
        copy = f"{self._staging}/old-{self._backups}"
        _keep(place, copy)
        self._changed.append((place, copy))


def _sweep(directory: Path) -> None:
    """What runs left that were killed. A run that takes as long as this is none of today's."""
    for left in directory.glob(f"{_STAGING}*"):
        if left.is_dir() and not left.is_symlink() and left.stat().st_mtime < time.time() - _ABANDONED:
            shutil.rmtree(left, ignore_errors=True)  # what is another's stays


def _keep(place: str, copy: str) -> None:
    """A second name costs nothing, whatever the size; a file system without them gets a copy."""
    try:
        os.link(place, copy, follow_symlinks=False)
    except OSError:
        shutil.copy2(place, copy, follow_symlinks=False)


def make_directories(directory: Path) -> Iterator[Path]:
    """Those that were missing."""
    for path in reversed((directory, *directory.parents)):
        if not path.exists():
            try:
                path.mkdir()
            except FileExistsError:
                continue  # another run was faster
            yield path


def _parents_below(directory: Path, path: str) -> list[Path]:
    return [parent for parent in (directory / path).parents if parent != directory and directory in parent.parents]


def remove_empty(directories: list[Path]) -> None:
    for directory in sorted(set(directories), key=lambda path: len(path.parts), reverse=True):
        if directory.is_dir() and not any(directory.iterdir()):
            directory.rmdir()
