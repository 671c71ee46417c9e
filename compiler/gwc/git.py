"""Reading policies of a revision: no checkout, no change of the work tree."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from gwc.source import MAX_BYTES, Source

MAIN = ("origin/HEAD", "origin/main", "origin/master", "main", "master")
_SUFFIXES = (".yaml", ".yml")


class GitError(Exception):
    """git is missing, this is no checkout, or it does not know a revision; the message says which."""


def git(*words: str, directory: Path | None = None) -> str:
    """What git prints. Raises GitError."""
    return _run(words, directory).decode("utf-8", errors="surrogateescape")


def _run(words: tuple[str, ...], directory: Path | None) -> bytes:
    try:
        done = subprocess.run(["git", *words], cwd=directory, capture_output=True, check=False, timeout=60)
    except FileNotFoundError as error:
        raise GitError("git is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise GitError(f"git {words[0]} did not answer within a minute") from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise GitError(said[0] if said else f"git {words[0]} failed")
    return done.stdout


def merge_base(revision: str) -> str:
    """The commit where HEAD and `revision` parted. Raises GitError."""
    return git("merge-base", "--end-of-options", revision, "HEAD").strip()


def main_branch() -> str:
    """The first of the usual names that this repository has. Raises GitError."""
    git("rev-parse", "--is-inside-work-tree")
    for name in MAIN:
        try:
            git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
        except GitError:
            continue
        return name
    raise GitError(f"none of {', '.join(MAIN)} is a branch here")


@dataclass(frozen=True, slots=True)
class Revision:
    """The policies of `directory` as they were in a commit. `shown` is how messages call the commit."""

    commit: str
    directory: Path
    shown: str

    def sources(self) -> tuple[Source, ...]:
        """Sorted by name. Raises GitError, also where the commit has no such directory."""
        top = Path(git("rev-parse", "--show-toplevel", directory=self._near).strip())
        below = PurePosixPath(self.directory.resolve().relative_to(top.resolve()).as_posix())
        listed = git("ls-tree", "-z", "--name-only", self.commit, "--", f"{below}/", directory=top).split("\0")
        names = sorted(
            name for name in listed if name.endswith(_SUFFIXES) and not PurePosixPath(name).name.startswith(".")
        )
        if not names:
            raise GitError(f"{self.shown} has no policies in {self.directory.as_posix()}")
        return tuple(Source(f"{self.shown}:{name}", self._text(name, top)) for name in names)

    @property
    def _near(self) -> Path:
        """A directory of the repository that is there now: the policies may be new, or gone."""
        return next(path for path in (self.directory.resolve(), *self.directory.resolve().parents) if path.is_dir())

    def _text(self, name: str, top: Path) -> str:
        data = _run(("cat-file", "blob", f"{self.commit}:{name}"), top)
        if len(data) > MAX_BYTES:
            raise GitError(f"{self.shown}:{name}: larger than {MAX_BYTES // 1024} KiB, the bound for a policy")
        return data.decode("utf-8")

    def read(self, source: Source, file: str) -> str:
        """A public file that a policy of this revision names. Raises OSError, as reading from disk does."""
        beside = PurePosixPath(source.name.removeprefix(f"{self.shown}:")).parent / file
        try:
            top = Path(git("rev-parse", "--show-toplevel", directory=self._near).strip())
            return _run(("cat-file", "blob", f"{self.commit}:{beside}"), top).decode("utf-8")
        except GitError as error:
            raise FileNotFoundError(2, f"{self.shown} has no {beside}", str(beside)) from error
