"""NGINX configuration as data: directives that remember which policy text they came from, and their printer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from gwc.ir import Node, Origin
from gwc.target import Lines, OutputFile
from gwc_nginx.values import remembered

_STEP = "    "


Written = tuple[Node, str]
"""A node and its field: where it was written is looked up when somebody asks, which costs far more than a line."""


class Directive(NamedTuple):
    """`text` is its name and its arguments, quoted already (see quoting.py). `block` None is a simple directive."""

    text: str
    block: tuple[Directive, ...] | None = None
    origin: Written | None = None


def d(*words: str, origin: Written | None = None) -> Directive:
    return _simple(words) if origin is None else Directive(" ".join(words), None, origin)


@remembered
def _simple(words: tuple[str, ...]) -> Directive:
    return Directive(" ".join(words))


def block(*words: str, of: Iterable[Directive], origin: Written | None = None) -> Directive:
    return Directive(" ".join(words), tuple(of), origin)


def written(directives: Iterable[Directive], depth: int = 0) -> str:
    """Their text, inside of `depth` blocks."""
    lines: list[str] = []
    _write(directives, _STEP * depth, lines)
    return "".join(lines)


def _write(directives: Iterable[Directive], indent: str, lines: list[str]) -> None:
    for text, of, _ in directives:
        if of is None:
            lines.append(f"{indent}{text};\n")
            continue
        lines.append(f"{indent}{text} {{\n")
        _write(of, indent + _STEP, lines)
        lines.append(f"{indent}}}\n")


def origins(directives: Iterable[Directive], around: Origin | None = None) -> Iterator[Origin | None]:
    """Where each line of their text came from; one without an origin has that of the block around it."""
    for _, of, written in directives:
        own = written[0].provenance.get(written[1]) if written is not None else None
        origin = own or around
        yield origin
        if of is not None:
            yield from origins(of, origin)
            yield origin


def printed(directives: Iterable[Directive], *, title: str) -> OutputFile:
    """A file of which no service has a part."""
    every = tuple(directives)
    lines = Lines(lambda: {n: origin.span for n, origin in enumerate(origins(every), 2) if origin is not None})
    return OutputFile(f"# {title}\n{written(every)}", lines)
