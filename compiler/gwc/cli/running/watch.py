"""Whether what a gateway was made from has changed: by content, so that a touched file changes nothing."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from gwc.source import SourceError, policy_files

Fingerprint = tuple[tuple[str, str], ...]
_GONE = "cannot be read"


def fingerprint(policies: str, public: Iterable[Path]) -> Fingerprint:
    """The digest of each policy, and of each public file that they name."""
    try:
        files = [Path(file) for file in policy_files(policies)]
    except SourceError:
        files = []
    return tuple((str(file), _digest(file)) for file in (*files, *sorted(public)))


def different(before: Fingerprint, after: Fingerprint) -> tuple[str, ...]:
    """The names of the files that changed, came or went."""
    old, new = dict(before), dict(after)
    return tuple(sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name)))


def _digest(file: Path) -> str:
    try:
        return sha256(file.read_bytes()).hexdigest()
    except OSError:
        return _GONE
