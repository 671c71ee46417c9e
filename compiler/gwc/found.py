"""What was found inexact of a service, as bytes: little to hold for ten thousand services, and plain numbers to keep.

A record is of the uses of one feature under one promise of one table, those of the platform, of a service, or of its
routes: how many subjects have them, the spans that a diagnostic would show, and all places, by file.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import attrgetter

from gwc.diagnostics import Span

Key = tuple[int, int, int, int]
"""The numbers of a table, of a feature, of a promise, and of a level: platform, service, route."""
Place = tuple[str, int, int, int, int]
"""The fields of a span."""

MOST_SHOWN = 4
"""Spans that a diagnostic names; the manifest has them all."""

_LENGTH = struct.Struct("<I")
_HEAD = 8
_END = "\0"  # in no name of a file or a service
_NUMBERS = attrgetter("line", "column", "end_line", "end_column")


class Packer:
    """Puts records together, in the order of the uses that they are about."""

    def __init__(self) -> None:
        self._names: dict[str, int] = {}
        self._numbers: list[int] = []

    def add(self, key: Key, subjects: int, subject: str, shown: Sequence[Span], first: Span, places: set[Span]) -> None:
        """`shown` are the first that somebody wrote; `subject` has the first of them or, if there is none, `first`."""
        begin = len(self._numbers)
        self._numbers += (0, *key, subjects, self._named(subject), len(shown))
        for span in shown or (first,):
            self._numbers += (self._named(span.file), *_NUMBERS(span))
        for file, spans in _by_file(places):
            self._numbers += (self._named(file), len(spans), *(n for span in spans for n in _NUMBERS(span)))
        self._numbers[begin] = len(self._numbers) - begin

    def _named(self, name: str) -> int:
        return self._names.setdefault(name, len(self._names))

    def packed(self) -> bytes:
        names = _END.join(self._names).encode("utf-8", "surrogatepass")
        return _LENGTH.pack(len(names)) + names + struct.pack(f"<{len(self._numbers)}I", *self._numbers)


def _by_file(places: set[Span]) -> list[tuple[str, list[Span]]]:
    files: dict[str, list[Span]] = {}
    for span in places:
        files.setdefault(span.file, []).append(span)
    return [(file, sorted(files[file], key=_NUMBERS)) for file in sorted(files)]


def _unpacked(packed: bytes) -> tuple[list[str], tuple[int, ...]]:
    (length,) = _LENGTH.unpack_from(packed)
    begin = _LENGTH.size + length
    numbers = struct.unpack(f"<{(len(packed) - begin) // 4}I", packed[begin:])
    return packed[_LENGTH.size : begin].decode("utf-8", "surrogatepass").split(_END), numbers


@dataclass(slots=True)
class Sum:
    """Of several services. `shown` has the subject of each place; none is there where nobody wrote any."""

    subjects: int
    first: tuple[Place, str]
    shown: dict[Place, str] = field(default_factory=dict)


def summed(packs: Iterable[bytes]) -> dict[Key, Sum]:
    """In the order in which the services bring them up."""
    sums: dict[Key, Sum] = {}
    for packed in packs:
        names, numbers = _unpacked(packed)
        at, end = 0, len(numbers)
        while at < end:
            size, table, feature, promise, level, subjects, subject, written = numbers[at : at + _HEAD]
            key = (table, feature, promise, level)
            if (known := sums.get(key)) is None:
                first = next(_shown(names, numbers, at + _HEAD, 1))
                known = sums[key] = Sum(0, (first, names[subject]))
            known.subjects += subjects
            if written and len(known.shown) < MOST_SHOWN:
                for place in _shown(names, numbers, at + _HEAD, written):
                    known.shown.setdefault(place, names[subject])
            at += size
    return sums


def _shown(names: Sequence[str], numbers: Sequence[int], at: int, count: int) -> Iterator[Place]:
    for begin in range(at, at + 5 * count, 5):
        file, line, column, end_line, end_column = numbers[begin : begin + 5]
        yield names[file], line, column, end_line, end_column


Files = dict[str, tuple[int, ...]]
"""Of each file the spans in it, in order: four numbers for each."""


def places(packs: Iterable[bytes], table: int) -> dict[tuple[int, int], Files]:
    """Where each feature is used under each promise of that table."""
    found: dict[tuple[int, int], Files] = {}
    for packed in packs:
        names, numbers = _unpacked(packed)
        at, end = 0, len(numbers)
        while at < end:
            size, of, feature, promise = numbers[at : at + 4]
            if of == table:
                _collect(found.setdefault((feature, promise), {}), names, numbers[at : at + size])
            at += size
    return found


def _collect(files: Files, names: Sequence[str], record: tuple[int, ...]) -> None:
    at = _HEAD + 5 * max(1, record[_HEAD - 1])
    while at < len(record):
        name, count = names[record[at]], record[at + 1]
        at, spans = at + 2 + 4 * count, record[at + 2 : at + 2 + 4 * count]
        if (known := files.setdefault(name, spans)) != spans:
            files[name] = _united(known, spans)


def _united(one: tuple[int, ...], other: tuple[int, ...]) -> tuple[int, ...]:
    spans = {some[at : at + 4] for some in (one, other) for at in range(0, len(some), 4)}
    return tuple(number for span in sorted(spans) for number in span)
