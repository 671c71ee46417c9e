"""The build directory: what a run would change in it, and the change itself, all of it or none.

Only files that a manifest names as gwc's own are replaced or removed.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gwc.cli.drafting import Draft
from gwc.cli.transaction import PLAIN, Mode, Transaction


class OutputError(Exception):
    """The build directory cannot be written, or holds a file in the way that gwc did not write."""


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file to be."""

    text: str
    mode: Mode = PLAIN

    def holds(self, path: str) -> bool:
        """Whether `path` is that file already."""
        try:
            mode = os.lstat(path).st_mode
            if not stat.S_ISREG(mode) or bool(mode & stat.S_IXUSR) != self.mode.executable:
                return False
            return not (self.mode.private and mode & 0o077) and Path(path).read_bytes() == self.text.encode("utf-8")
        except OSError:
            return False  # unreadable is not what it should be; replacing it says why if that fails too


File = NewFile | Draft


@dataclass(frozen=True, slots=True)
class Plan:
    """The changes below `directory`, by path in it. `stale` and `missing` are written, `extra` is removed."""

    directory: Path
    files: Mapping[str, File]
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


def plan(directory: Path, files: Mapping[str, File], own: frozenset[str]) -> Plan:
    """What it takes to make `directory` hold `files`; `own` are the paths of earlier runs, which may go."""
    other = [path for path, file in files.items() if not file.holds(f"{directory}/{path}")]
    missing = tuple(path for path in other if not os.path.lexists(f"{directory}/{path}"))
    absent = frozenset(missing)
    stale = tuple(path for path in other if path not in absent)
    extra = tuple(sorted(path for path in own - files.keys() if os.path.lexists(f"{directory}/{path}")))
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
    with changing(plan.directory) as transaction:
        fulfil(plan, transaction)


@contextmanager
def changing(directory: Path) -> Iterator[Transaction]:
    """A transaction whose faults are OutputErrors."""
    try:
        with Transaction(directory) as transaction:
            yield transaction
    except OSError as error:
        raise OutputError(f"{error.filename or directory}: {error.strerror}") from error


def fulfil(plan: Plan, transaction: Transaction) -> None:
    """Make the changes, within a transaction that also has what was drafted of them. Raises OSError."""
    if plan.empty:
        return
    for path in plan.changed:
        file = plan.files[path]
        transaction.stage(path, _drafted(file, transaction), file.mode)
    transaction.commit(plan.extra)


def _drafted(file: File, transaction: Transaction) -> str:
    if isinstance(file, NewFile):
        place, stream = transaction.draft(file.mode)
        with stream:
            stream.write(file.text.encode("utf-8"))
        return place
    if file.staged is None:
        raise ValueError("what was only compared cannot be written")
    return file.staged


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
