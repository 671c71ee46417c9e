"""Outputs that are put together from parts, each of which follows from one service.

An output of ten thousand services is larger than the memory that a run should need, and most of it is what it was
before one of them changed. So nobody holds it whole: it is made piece by piece while it is written, and the text of a
part that follows from the same as before is taken from where it was written then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from gwc.diagnostics import Span
from gwc.ir import Gateway, Service


@dataclass(frozen=True, slots=True)
class Made:
    """Text of an output. Not `fit`: the target's `judge` has something to say about it."""

    text: str
    fit: bool = True


@dataclass(frozen=True, slots=True)
class Part:
    """What an output says of one service, from the start of a line to the end of one.

    `make` may look at the platform, at that service and at what `given` tells in full, and at nothing else: `alone`
    gives it a Gateway to work with. `name` is the part's own among those of the service in the output.
    """

    service: str
    name: str
    make: Callable[[], Made]
    given: str = ""


Piece = Made | Part
"""What is `Made` belongs to no single service, and is made anew each time."""


@dataclass(frozen=True, slots=True, eq=False)
class Assembled:
    """An output file in pieces, which are found anew each time that somebody asks. `lines` as of an OutputFile."""

    pieces: Callable[[], Iterable[Piece]]
    lines: Mapping[int, Span]
    executable: bool = False

    @property
    def text(self) -> str:
        return "".join(made(piece).text for piece in self.pieces())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Assembled) and (self.text, self.executable) == (other.text, other.executable)

    def __hash__(self) -> int:
        return hash(self.text)


def made(piece: Piece) -> Made:
    return piece.make() if isinstance(piece, Part) else piece


def alone(gateway: Gateway, service: Service) -> Gateway:
    """The platform with one of its services: what is made from it follows from no other."""
    return replace(gateway, services=(service,))
