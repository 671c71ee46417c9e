"""The build directory: what a run would change in it, and the change itself, all of it or none.

Only files that a manifest names as gwc's own are replaced or removed.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path


class OutputError(Exception):
    """The build directory cannot be written, or holds a file in the way that gwc did not write."""


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file to be. A private one is for its owner's eyes only, and so is its directory."""

    text: str
    executable: bool = False
    private: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """The changes below `directory`, by path in it. `stale` and `missing` are written, `extra` is removed."""

    directory: Path
    files: Mapping[str, NewFile]
    stale: tuple[str, ...]
    missing: tuple[str, ...]
    extra: tuple[str, ...]

    @property
    def changed(self) -> tuple[str, ...]:
        """What is to be written, in the order of `files`."""
        wanted = {*self.stale, *self.missing}
        return tuple(path for path in self.files if path in wanted)

    @property
    def unchanged(self) -> int:
        return len(self.files) - len(self.stale) - len(self.missing)

    @property
    def empty(self) -> bool:
        return not (self.stale or self.missing or self.extra)


def plan(directory: Path, files: Mapping[str, NewFile], own: frozenset[str]) -> Plan:
    """What it takes to make `directory` hold `files`; `own` are the paths of earlier runs, which may go."""
    missing = tuple(path for path in files if not os.path.lexists(directory / path))
    there = files.keys() - set(missing)
    stale = tuple(path for path, file in files.items() if path in there and not _holds(directory / path, file))
    extra = tuple(sorted(path for path in own - files.keys() if os.path.lexists(directory / path)))
    return Plan(directory, files, stale, missing, extra)


def check_ownership(plan: Plan, own: frozenset[str]) -> None:
    """Raises OutputError when carrying out `plan` would destroy somebody else's file."""
    for path in plan.stale:
        if path not in own:
            raise OutputError(
                f"{plan.directory / path} is in the way and no manifest says that gwc wrote it; "
                "move it, or choose another directory with -o"
            )


def carry_out(plan: Plan) -> None:
    """Make the changes, or raise OutputError with the directory as it was."""
    if plan.empty:
        return
    try:
        with _Transaction(plan.directory) as transaction:
            for path in plan.changed:
                transaction.stage(path, plan.files[path])
            transaction.commit(plan.extra)
    except OSError as error:
        raise OutputError(f"{error.filename or plan.directory}: {error.strerror}") from error


def _holds(path: Path, file: NewFile) -> bool:
    try:
        mode = path.lstat().st_mode
        if not stat.S_ISREG(mode) or bool(mode & stat.S_IXUSR) != file.executable:
            return False
        return not (file.private and mode & 0o077) and path.read_bytes() == file.text.encode("utf-8")
    except OSError:
        return False  # unreadable is not what it should be; replacing it says why if that fails too


class _Transaction:
    """Stages new files beside their places, then puts them there one by one; whatever fails, undoes what was done."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._staged: dict[str, tuple[Path, NewFile]] = {}
        self._undo = ExitStack()
        self._backups = 0
        self._ready: set[tuple[str, bool]] = set()
        self._emptied: list[Path] = []

    def __enter__(self) -> _Transaction:
        self._created = list(_make_directories(self._directory))
        self._staging = Path(tempfile.mkdtemp(prefix=".gwc-", dir=self._directory))
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._undo.close()
        self._undo.pop_all()
        shutil.rmtree(self._staging, ignore_errors=True)  # by now the outcome is settled; a leftover is private
        _remove_empty(self._emptied if kind is None else self._created)

    def stage(self, path: str, file: NewFile) -> None:
        """Write the content where nobody looks; a full disk shows here."""
        staged = self._staging / f"new-{len(self._staged)}"
        with os.fdopen(os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _mode(file)), "wb") as stream:
            stream.write(file.text.encode("utf-8"))
        self._staged[path] = (staged, file)

    def commit(self, remove: tuple[str, ...]) -> None:
        for path, (staged, file) in self._staged.items():
            self._make_parents(path, file)
            self._back_up(path)
            staged.replace(self._directory / path)
        for path in remove:
            self._check_inside((self._directory / path).parent)
            self._back_up(path)
            (self._directory / path).unlink()
            self._emptied.extend(_parents_below(self._directory, path))

    def _make_parents(self, path: str, file: NewFile) -> None:
        """Once for each directory, whether or not it is private."""
        where = (path.rpartition("/")[0], file.private)
        if where in self._ready:
            return
        self._ready.add(where)
        parent = (self._directory / path).parent
        self._created.extend(_make_directories(parent))
        self._check_inside(parent)
        if file.private:
            parent.chmod(0o700)

    def _check_inside(self, parent: Path) -> None:
        if not parent.resolve().is_relative_to(self._directory.resolve()):
            raise OSError(0, "a symbolic link leads out of the build directory", str(parent))

    def _back_up(self, path: str) -> None:
        place = self._directory / path
        if not os.path.lexists(place):
            self._undo.callback(place.unlink, missing_ok=True)
            return
        self._backups += 1
        copy = self._staging / f"old-{self._backups}"
        shutil.copy2(place, copy, follow_symlinks=False)
        self._undo.callback(copy.replace, place)


def _mode(file: NewFile) -> int:
    """Less the umask, as for any file that a program creates."""
    return 0o600 if file.private else 0o777 if file.executable else 0o666


def _make_directories(directory: Path) -> Iterator[Path]:
    for path in reversed((directory, *directory.parents)):
        if not path.exists():
            path.mkdir()
            yield path


def _parents_below(directory: Path, path: str) -> list[Path]:
    return [parent for parent in (directory / path).parents if parent != directory and directory in parent.parents]


def _remove_empty(directories: list[Path]) -> None:
    for directory in sorted(set(directories), key=lambda path: len(path.parts), reverse=True):
        if directory.is_dir() and not any(directory.iterdir()):
            directory.rmdir()


def replace_text(path: Path, text: str) -> None:
    """A single file, whole or as it was, with the mode that it had. Raises OSError."""
    mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o644
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8", newline="") as file:
        try:
            file.write(text)
            os.fchmod(file.fileno(), mode)
            file.flush()
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink()
            raise
