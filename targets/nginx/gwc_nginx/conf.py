"""NGINX configuration as data: directives that remember which policy text they came from, and their printer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gwc.ir import Origin
from gwc.target import Lines, OutputFile


@dataclass(frozen=True, slots=True)
class Directive:
    """`args` are quoted already (see quoting.py). `block` None is a simple directive."""

    name: str
    args: tuple[str, ...] = ()
    block: tuple[Directive, ...] | None = None
    origin: Origin | None = None


def d(name: str, *args: str, origin: Origin | None = None) -> Directive:
    return Directive(name, args, None, origin)


def block(name: str, *args: str, of: Iterable[Directive], origin: Origin | None = None) -> Directive:
    return Directive(name, args, tuple(of), origin)


def printed(directives: Iterable[Directive], *, title: str) -> OutputFile:
    """The file, and where each line came from; one without an origin has that of the block around it."""
    text, origins = [f"# {title}"], list[Origin | None]([None])
    _print(directives, "", None, text, origins)
    text.append("")
    lines = Lines(lambda: {line: origin.span for line, origin in enumerate(origins, 1) if origin is not None})
    return OutputFile("\n".join(text), lines)


def _print(
    directives: Iterable[Directive], indent: str, around: Origin | None, text: list[str], origins: list[Origin | None]
) -> None:
    """Adds a line to `text` and its origin to `origins`, for each line of the directives."""
    for directive in directives:
        origin = directive.origin or around
        args = "".join([f" {argument}" for argument in directive.args])
        origins.append(origin)
        if directive.block is None:
            text.append(f"{indent}{directive.name}{args};")
            continue
        text.append(f"{indent}{directive.name}{args} {{")
        _print(directive.block, indent + "    ", origin, text, origins)
        text.append(f"{indent}}}")
        origins.append(origin)
