"""Reading policies of a revision: no checkout, no change of the work tree."""

from __future__ import annotations

import io
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from gwc.diagnostics import Report
from gwc.source import Source, decoded, is_policy

MAIN = ("origin/HEAD", "origin/main", "origin/master", "main", "master")


class GitError(Exception):
    """git is missing, this is no checkout, or it does not know a revision; the message says which."""


def git(*words: str, directory: Path | None = None) -> str:
    """What git prints. Raises GitError."""
    return _run(words, directory).decode("utf-8", errors="surrogateescape")


def _run(words: tuple[str, ...], directory: Path | None, asked: bytes = b"") -> bytes:
    try:
        done = subprocess.run(["git", *words], cwd=directory, input=asked, capture_output=True, check=False, timeout=60)
    except FileNotFoundError as error:
        raise GitError("git is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise GitError(f"git {words[0]} did not answer within a minute") from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise GitError(said[0] if said else f"git {words[0]} failed")
    return done.stdout


def merge_base(revision: str, directory: Path | None = None) -> str:
    """The commit where HEAD and `revision` parted. Raises GitError."""
    return git("merge-base", "--end-of-options", revision, "HEAD", directory=directory).strip()


def _main_branch(directory: Path) -> str:
    """The first of the usual names that this repository has. Raises GitError."""
    for name in MAIN:
        try:
            git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}", directory=directory)
        except GitError:
            continue
        return name
    raise GitError(f"none of {', '.join(MAIN)} is a branch here")


@dataclass(frozen=True, slots=True)
class Revision:
    """The policies of the directory `below` in the repository at `top` as they were in a commit.

    `shown` is how messages call the commit.
    """

    commit: str
    shown: str
    top: Path
    below: PurePosixPath

    def sources(self, report: Report, like: Sequence[Source] = ()) -> tuple[Source, ...]:
        """Sorted by name; what is the same in `like` is not read. Raises GitError, also where the commit has no such
        directory, and SourceError."""
        listed = git("ls-tree", "-z", self.commit, "--", f"{self.below}/", directory=self.top).split("\0")
        ids = {name: entry.split()[2] for entry, _, name in (line.partition("\t") for line in listed) if name}
        names = sorted(name for name in ids if is_policy(PurePosixPath(name).name))
        if not names:
            raise GitError(f"{self.shown} has no policies in {self.below}")
        known = _by_id(like, len(ids[names[0]]))
        contents = _contents([ids[name] for name in names if ids[name] not in known], self.top)
        sources = (
            Source(at, known[ids[name]]) if ids[name] in known else decoded(at, next(contents), report)
            for name, at in ((name, f"{self.shown}:{name}") for name in names)
        )
        return tuple(source for source in sources if source is not None)

    def read(self, source: Source, file: str) -> str:
        """A public file that a policy of this revision names. Raises OSError, as reading from disk does."""
        beside = PurePosixPath(source.name.removeprefix(f"{self.shown}:")).parent / file
        try:
            return _run(("cat-file", "blob", f"{self.commit}:{beside}"), self.top).decode("utf-8")
        except GitError as error:
            raise FileNotFoundError(2, f"{self.shown} has no {beside}", str(beside)) from error


def revision(wanted: str | None, directory: Path) -> Revision:
    """Where HEAD and `wanted`, or else the main branch, parted. `directory` may be new, or gone. Raises GitError."""
    top, below = repository(directory)
    shown = wanted or _main_branch(top)
    return Revision(merge_base(shown, top), shown, top, below)


def repository(directory: Path) -> tuple[Path, PurePosixPath]:
    """The top of the repository that `directory` is in, or would be, and where below it. Raises GitError."""
    place = directory.resolve()
    near = next(path for path in (place, *place.parents) if path.is_dir())
    top = Path(git("rev-parse", "--show-toplevel", directory=near).strip()).resolve()
    return top, PurePosixPath(place.relative_to(top).as_posix())


def _by_id(sources: Sequence[Source], digits: int) -> dict[str, str]:
    """Texts by the ids that git gives files with them, in a repository whose ids have so many `digits`.

    An id is the hash of what the object holds. Two texts with one id do not get into a repository: git looks for what
    gives a constructed one away, and refuses it.
    """
    if not sources:
        return {}
    from hashlib import sha1, sha256

    start = sha1(usedforsecurity=False) if digits == _SHA1 else sha256()
    found = {}
    for source in sources:
        data, made = source.text.encode(), start.copy()
        made.update(b"blob %d\0" % len(data) + data)
        if not source.text.startswith(_BOM):  # to read that object takes one away
            found[made.hexdigest()] = source.text
    return found


_SHA1 = 40
_BOM = "\ufeff"


def _contents(ids: Sequence[str], directory: Path) -> Iterator[bytes]:
    """What objects hold, all of them asked for at once."""
    if not ids:
        return
    answer = io.BytesIO(_run(("cat-file", "--batch"), directory, "\n".join(ids).encode()))
    for _ in ids:
        said = answer.readline().split()
        if len(said) != 3:
            raise GitError(f"{ids[0] if not said else said[0].decode()} is not in this repository")
        yield answer.read(int(said[2]))
        answer.read(1)
