"""NGINX configuration as data: directives that remember which policy text they came from, and their printer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from gwc.diagnostics import Span
from gwc.target import OutputFile


@dataclass(frozen=True, slots=True)
class Directive:
    """`args` are quoted already (see quoting.py). `block` None is a simple directive."""

    name: str
    args: tuple[str, ...] = ()
    block: tuple[Directive, ...] | None = None
    span: Span | None = None


def d(name: str, *args: str, span: Span | None = None) -> Directive:
    return Directive(name, args, None, span)


def block(name: str, *args: str, of: Iterable[Directive], span: Span | None = None) -> Directive:
    return Directive(name, args, tuple(of), span)


def printed(directives: Iterable[Directive], *, title: str) -> OutputFile:
    """The file, and the span of every line; a line without one of its own has that of the block around it."""
    text = [f"# {title}"]
    lines: dict[int, Span] = {}
    for line, span in _lines(directives, "", None):
        text.append(line)
        if span is not None:
            lines[len(text)] = span
    return OutputFile("\n".join(text) + "\n", lines)


def _lines(directives: Iterable[Directive], indent: str, around: Span | None) -> Iterator[tuple[str, Span | None]]:
    for directive in directives:
        span = directive.span or around
        head = indent + " ".join((directive.name, *directive.args))
        if directive.block is None:
            yield f"{head};", span
            continue
        yield f"{head} {{", span
        yield from _lines(directive.block, indent + "    ", span)
        yield f"{indent}}}", span
