"""Files of directives, section by section: what a file says of one service is a part by itself.

A part's text is what a function makes of three things: the platform without services, the service, and `given`. It has
no other arguments, so that it can follow from nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from gwc.derived import per_gateway
from gwc.diagnostics import Span
from gwc.ir import Gateway, Origin, Service
from gwc.parts import Made, Part, Piece
from gwc.target import Assembled, Lines
from gwc_nginx.conf import Directive, origins, written
from gwc_nginx.judge import fit

Make = Callable[[Gateway, Service, str], Iterable[Directive]]
"""The directives of a service: the platform without services, the service, and what crosses services."""


@dataclass(frozen=True, slots=True)
class Shared:
    """Directives of no single service, inside of `depth` blocks."""

    directives: tuple[Directive, ...]
    depth: int = 0

    def found(self) -> Iterable[Directive]:
        return self.directives

    def piece(self) -> Piece:
        return _made(self.directives, self.depth)


@dataclass(frozen=True, slots=True)
class Own:
    """Directives of one service, inside of `depth` blocks. `name` is unique among the service's in the file."""

    platform: Gateway
    service: Service
    name: str
    make: Make
    given: str = ""
    depth: int = 0

    def found(self) -> Iterable[Directive]:
        return self.make(self.platform, self.service, self.given)

    def piece(self) -> Piece:
        return Part(self.service.name, self.name, lambda: _made(self.found(), self.depth), self.given)


Section = Shared | Own | str
"""Text is a line without its end, of which nobody asks where it came from: the edge of a block around sections."""


@per_gateway
def platform_of(gateway: Gateway) -> Gateway:
    return replace(gateway, services=())


def assembled(sections: Callable[[], Iterable[Section]], *, title: str) -> Assembled:
    return Assembled(lambda: _pieces(sections(), title), Lines(lambda: _spans(sections())))


def _pieces(sections: Iterable[Section], title: str) -> Iterator[Piece]:
    yield Made(f"# {title}\n")
    for section in sections:
        yield Made(f"{section}\n") if isinstance(section, str) else section.piece()


def _made(directives: Iterable[Directive], depth: int) -> Made:
    text = written(directives, depth)
    return Made(text, fit(text))


def _spans(sections: Iterable[Section]) -> dict[int, Span]:
    """By line; the first is the title's."""
    return {line: origin.span for line, origin in enumerate(_origins(sections), 2) if origin is not None}


def _origins(sections: Iterable[Section]) -> Iterator[Origin | None]:
    for section in sections:
        if isinstance(section, str):
            yield None
        else:
            yield from origins(section.found())
