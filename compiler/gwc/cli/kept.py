"""Where the parts of the last build are, so that the next one copies those that follow from the same; and what was
found of each service then.

A part is known by a hash of all that it follows from: gwc's own code, the platform's policy and the public files that
it names, the environment, the service's policy, and what crosses services (`gwc.parts.Part.given`). Where it
is, is worth nothing once the file is another than the one that was written, so that is looked at first, by content.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

from gwc.cache import compiler, digest, usable
from gwc.parts import Part
from gwc.survey import Survey

_KEY = 16
_PLACE = struct.Struct(f"<{_KEY}sQQ")
_FOUND = "found"
"""The name of what was found of a service, among those of its parts: as a name of theirs it has no file."""


class Places:
    """Where parts are in a file, by their keys: offset and length in bytes."""

    __slots__ = ("packed",)

    def __init__(self, packed: bytes | bytearray = b"") -> None:
        """Raises ValueError for what was not packed here."""
        if len(packed) % _PLACE.size:
            raise ValueError("not whole")
        self.packed = bytearray(packed)
        """A build has many parts, and knows of all of them until it is done: in bytes they are smallest."""

    def note(self, key: bytes, offset: int, length: int) -> None:
        self.packed += _PLACE.pack(key, offset, length)

    def by_key(self) -> dict[bytes, tuple[int, int]]:
        return {key: (offset, length) for key, offset, length in _PLACE.iter_unpack(self.packed)}

    def __bool__(self) -> bool:
        return bool(self.packed)

    def __reduce__(self) -> tuple[type[Places], tuple[bytes]]:
        return Places, (bytes(self.packed),)


def _key(facts: bytes, service: str, name: str, given: str) -> bytes:
    """Each word ends where its length says."""
    return blake2b(facts + f"{len(service)} {len(name)} {service}{name}{given}".encode(), digest_size=_KEY).digest()


@dataclass(frozen=True, slots=True)
class KeptFile:
    """The parts of one file as it was written last, with that file's hash; without one there are none.

    `services` have a hash of all that the parts of each follow from.
    """

    services: Mapping[str, bytes]
    sha256: str = ""
    places: Mapping[bytes, tuple[int, int]] = field(default_factory=dict)

    def without(self) -> KeptFile:
        """Of another file than was written."""
        return KeptFile(self.services)

    def key(self, part: Part) -> bytes:
        """Of everything that the part follows from."""
        return _key(self.services[part.service], part.service, part.name, part.given)


@dataclass(frozen=True, slots=True)
class Last:
    """What is known of a build: of each file its sha256 and its Places, packed; and what was found of services, by the
    hash of all that this follows from."""

    files: Mapping[str, tuple[str, bytes | bytearray]] = field(default_factory=dict)
    found: Mapping[bytes, bytes] = field(default_factory=dict)

    @property
    def packed(self) -> bytes:
        files = [(name, sha, len(places)) for name, (sha, places) in self.files.items() if places]
        found = [(key.hex(), len(value)) for key, value in self.found.items()]
        head = json.dumps({"files": files, "found": found}).encode()
        places = (self.files[name][1] for name, _, _ in files)
        return b"".join((len(head).to_bytes(8, "little"), head, *places, *self.found.values()))

    @staticmethod
    def unpacked(entry: bytes) -> Last:
        """Nothing, if it was kept by another state of gwc, in another form."""
        begin = 8 + int.from_bytes(entry[:8], "little")
        try:
            known = json.loads(entry[8:begin])
            rest = _Slices(entry, begin)
            files = {str(name): (str(sha), rest.next(_whole(length))) for name, sha, length in known["files"]}
            found = {bytes.fromhex(key): rest.next(length) for key, length in known["found"]}
        except (ValueError, TypeError, KeyError, AttributeError):
            return Last()
        return Last(files, found)


class _Slices:
    def __init__(self, data: bytes, begin: int) -> None:
        self._data, self._begin = data, begin

    def next(self, length: int) -> bytes:
        begin, self._begin = self._begin, self._begin + length
        if not 0 <= length <= len(self._data) - begin:
            raise ValueError("not whole")
        return self._data[begin : self._begin]


def _whole(length: int) -> int:
    if length % _PLACE.size:
        raise ValueError("no places")
    return length


class Kept:
    """The last build in one directory, for one that follows from `services`: hashes as a KeptFile has them."""

    def __init__(self, services: Mapping[str, bytes], last: Last) -> None:
        self._services, self._last = services, last

    def file(self, name: str) -> KeptFile:
        sha, packed = self._last.files.get(name, ("", b""))
        return KeptFile(self._services, sha, Places(packed).by_key())

    def found(self, service: str, given: str) -> bytes | None:
        """What was found of a service (`gwc.survey`), unless something that it follows from has changed."""
        return self._last.found.get(_key(self._services[service], service, _FOUND, given))

    def after(self, targets: Collection[str], files: Mapping[str, tuple[str, Places]], survey: Survey) -> Last:
        """What is known once `targets` have these files: those of others are as they were."""
        others = {name: known for name, known in self._last.files.items() if name.partition("/")[0] not in targets}
        own = {name: (sha, places.packed) for name, (sha, places) in files.items()}
        found = {_key(self._services[s], s, _FOUND, survey.given): packed for s, packed in survey.services.items()}
        return Last({**others, **own}, found)


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
        return Kept(facts.by_service(), Last.unpacked(cache.get(_name(directory)) or b""))
    finally:
        cache.close()


def remember(directory: Path, last: Last) -> None:
    """For the next build there."""
    if (cache := usable()) is not None:
        try:
            cache.put(_name(directory), last.packed)
        finally:
            cache.close()


def _name(directory: Path) -> str:
    return digest("build", os.path.realpath(directory))
