"""Where the parts of the last build are, so that the next one copies those that follow from the same.

A part is known by a hash of all that it follows from: gwc's own code, the platform's policy and the public files that
it names, the environment, the service's policy, and what crosses services (`gwc.parts.Part.given`). Where it
is, is worth nothing once the file is another than the one that was written, so that is looked at first, by content.
"""

from __future__ import annotations

import base64
import json
import os
import struct
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

from gwc.cache import compiler, digest, usable
from gwc.parts import Part

_PLACE = struct.Struct("<16sQI")
_KEY = 16
_LARGEST = 2**32 - 1


class Places:
    """Where parts are in a file, by their keys: offset and length in bytes."""

    __slots__ = ("_packed",)

    def __init__(self, packed: bytes = b"") -> None:
        """Raises ValueError for what was not packed here."""
        if len(packed) % _PLACE.size:
            raise ValueError("not whole")
        self._packed = bytearray(packed)

    def note(self, key: bytes, offset: int, length: int) -> None:
        if length <= _LARGEST:
            self._packed += _PLACE.pack(key, offset, length)

    def by_key(self) -> dict[bytes, tuple[int, int]]:
        return {key: (offset, length) for key, offset, length in _PLACE.iter_unpack(self._packed)}

    def __bool__(self) -> bool:
        return bool(self._packed)

    @property
    def packed(self) -> bytes:
        return bytes(self._packed)


@dataclass(frozen=True, slots=True)
class KeptFile:
    """The parts of one file as it was written last, with that file's hash; without one there are none."""

    services: Mapping[str, bytes]
    sha256: str = ""
    places: Mapping[bytes, tuple[int, int]] = field(default_factory=dict)

    def of(self, sha256: str) -> KeptFile:
        """Of the file that has this hash: where it is another than the one that was written, nothing is known of it."""
        return self if self.sha256 == sha256 else KeptFile(self.services)

    def key(self, part: Part) -> bytes:
        """Of everything that the part follows from."""
        state = blake2b(self.services[part.service], digest_size=_KEY)
        for word in (part.service, part.name, part.given):
            data = word.encode()
            state.update(len(data).to_bytes(8, "big") + data)
        return state.digest()


class Kept:
    """The last build in one directory."""

    def __init__(self, services: Mapping[str, bytes], files: Mapping[str, tuple[str, bytes]]) -> None:
        """`services`: a hash of all that the parts of each follow from. `files`: the sha256 and the places of each."""
        self._services, self._files = services, files

    def file(self, name: str) -> KeptFile:
        sha, packed = self._files.get(name, ("", b""))
        try:
            return KeptFile(self._services, sha, Places(packed).by_key())
        except ValueError:
            return KeptFile(self._services)  # another version's

    def beside(self, targets: Collection[str]) -> dict[str, tuple[str, Places]]:
        """What is known of other targets' files: a build of some targets leaves those of the others as they are."""
        others = (name for name in self._files if name.partition("/")[0] not in targets)
        return {name: (self._files[name][0], Places(self._files[name][1])) for name in others if self.file(name).places}


@dataclass(frozen=True, slots=True)
class Facts:
    """All that the parts of a build follow from: `services` have the texts of their own policies by name, `shared` all
    other texts that were read, `packages` are the directories of the targets' code, and `libraries` what that needs."""

    environment: str | None
    shared: Mapping[str, str]
    services: Mapping[str, str]
    packages: tuple[str, ...]
    libraries: tuple[str, ...] = ()

    def by_service(self) -> dict[str, bytes]:
        shared = (word for item in sorted(self.shared.items()) for word in item)
        program = digest(compiler(*self.packages), *self.libraries)
        base = digest("parts", program, repr(self.environment), *shared)
        return {name: digest(base, text).encode() for name, text in self.services.items()}


def recall(directory: Path, facts: Facts) -> Kept | None:
    """What is known of the last build there. None where nothing can be kept at all."""
    if (cache := usable()) is None:
        return None
    try:
        return Kept(facts.by_service(), _files(cache.get(_key(directory))))
    finally:
        cache.close()


def _files(entry: bytes | None) -> dict[str, tuple[str, bytes]]:
    try:
        known = json.loads(entry or b"{}")
        return {name: (str(sha), base64.b64decode(packed)) for name, (sha, packed) in known.items()}
    except (ValueError, TypeError, AttributeError):
        return {}  # kept by another state of gwc, in another form


def remember(directory: Path, files: Mapping[str, tuple[str, Places]]) -> None:
    """For the next build there: the sha256 and the places of each file."""
    known = {name: (sha, base64.b64encode(places.packed).decode()) for name, (sha, places) in files.items() if places}
    if (cache := usable()) is not None:
        try:
            cache.put(_key(directory), json.dumps(known).encode())
        finally:
            cache.close()


def _key(directory: Path) -> str:
    return digest("build", os.path.realpath(directory))
