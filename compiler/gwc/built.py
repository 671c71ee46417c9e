"""Finding the policies that a build was compiled from: its manifest has their digests, git has their texts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from gwc.diagnostics import Report
from gwc.git import GitError, Revision, git, repository
from gwc.manifest import NAME, Manifest, ManifestError, digest, read_manifest
from gwc.source import STDIN, Source, SourceError, is_policy

COMMITS = 1000
"""How far back a build is looked for, in commits that touched the policies, of all branches."""

Read = Callable[[str], str]
"""The text of a public file by the name that a policy gives it. Raises OSError."""


def manifest_at(place: str) -> Path | None:
    """The manifest that `place` means: a build directory, or the file itself. None: it means something else."""
    if place == STDIN:
        return None
    path = Path(place)
    file = path / NAME if path.is_dir() else path
    return file if file.suffix == ".json" and file.is_file() else None


def manifest_in(file: Path) -> Manifest:
    """Raises ManifestError, also where it lists no inputs, and OSError."""
    manifest = read_manifest(file.read_text(encoding="utf-8"))
    inputs = manifest.content.get("inputs")
    if not isinstance(inputs, dict) or not inputs:
        raise ManifestError("a manifest without inputs")
    if not isinstance(manifest.content.get("environment", inputs), str | None):
        raise ManifestError("a manifest without its environment")
    return manifest


def revision_of(manifest: Manifest, directory: Path, shown: str, like: Sequence[Source] = ()) -> Revision:
    """The newest commit whose policies in `directory` are those of the build; `like` are most of them, perhaps. Raises
    GitError where none is."""
    top, below = repository(directory)
    for commit in _commits(top, below):
        candidate = Revision(commit, f"{shown} ({commit[:12]})", top, below)
        if _is_of(manifest, candidate, like):
            return candidate
    raise GitError(f"no commit has the policies that {shown} was compiled from, in {below}")


def _commits(top: Path, below: PurePosixPath) -> Iterator[str]:
    words = ("log", "--all", "HEAD", f"--max-count={COMMITS}", "--format=%H", "--", f"{below}/")
    yield from git(*words, directory=top).split()


def _is_of(manifest: Manifest, candidate: Revision, like: Sequence[Source]) -> bool:
    report = Report()
    try:
        sources = candidate.sources(report, like)
    except (GitError, SourceError):  # a commit before there were policies, or that took them away
        return False
    return not report.failed and made_from(manifest, sources, lambda file: candidate.read(sources[0], file))


def made_from(manifest: Manifest, sources: tuple[Source, ...], read: Read) -> bool:
    """Whether these texts are the inputs of the build. A file that git does not have lies outside of the checkout."""
    inputs: Mapping[str, str] = manifest.content["inputs"]
    policies = {name: text for name, text in inputs.items() if is_policy(name) and "/" not in name}
    if policies != {PurePosixPath(source.name).name: digest(source.text) for source in sources}:
        return False
    return all(_same(read, file, was) for file, was in inputs.items() if file not in policies)


def _same(read: Read, file: str, was: str) -> bool:
    try:
        return digest(read(file)) == was
    except OSError:
        return True
    except ValueError:  # no text, or no name of a file: gwc did not compile it
        return False
