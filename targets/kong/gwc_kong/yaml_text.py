"""YAML that every parser reads alike: block style, one key a line, every string double-quoted."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import yaml

from gwc.diagnostics import Span
from gwc.ir import Node, Origin
from gwc.target import Described, Lines

LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""To read such text: a safe one, and the one in C, which is ten times as fast, where there is one."""
_PLAIN_KEY = re.compile(r"(?!(?:y|n|yes|no|on|off|true|false|null)\Z)[a-z_]+\Z")
"""Words that no reader of YAML takes for anything but text."""
_HARMLESS = re.compile(r"[ !#-\[\]-~]*\Z")
"""Printable ASCII without quotes and backslashes."""
_PRINTABLE = re.compile(r"[ -~]*\Z")


@dataclass(frozen=True, slots=True)
class At:
    """`value`, and where all of its lines came from."""

    value: object
    origin: Origin | None

    @property
    def span(self) -> Span | None:
        return None if self.origin is None else self.origin.span


def at(node: Node, field: str, value: object) -> At:
    """`value`, as it was written in `field` of the node."""
    return At(value, node.provenance.get(field))


@dataclass(frozen=True, slots=True)
class _Line:
    text: str
    span: Span | None


def quote(text: str) -> str:
    """A double-quoted scalar in printable ASCII: nothing in it can end it or be taken for another type."""
    if _PRINTABLE.match(text):
        return '"' + (text if _HARMLESS.match(text) else text.replace("\\", "\\\\").replace('"', '\\"')) + '"'
    return '"' + "".join(map(_escape, text)) + '"'


def _escape(char: str) -> str:
    if char in '"\\':
        return "\\" + char
    if " " <= char <= "~":
        return char
    code = ord(char)
    return f"\\x{code:02X}" if code < 0x100 else f"\\u{code:04X}" if code < 0x10000 else f"\\U{code:08X}"


def render(make: Callable[[], Mapping[str, object]]) -> Described:
    """The text of the document that `make` makes, again if somebody asks for the span that each of its lines came from:
    it takes more memory than its text."""
    root = make()
    lines: list[str] = []
    _write(root, "", lines)
    lines.append("")
    return Described("\n".join(lines), Lines(lambda: _spans(make())), document=root)


def _write(value: object, indent: str, lines: list[str]) -> None:
    """The lines of `_block` without their spans, several times as fast."""
    value = _bare(value)
    inner = indent + "  "
    if isinstance(value, Mapping):
        for key, item in value.items():
            bare = _bare(item)
            if type(bare) is str:
                lines.append(f"{indent}{_key(key)}: {quote(bare)}")
            elif _nested(bare):
                lines.append(f"{indent}{_key(key)}:")
                _write(bare, inner, lines)
            else:
                lines.append(f"{indent}{_key(key)}: {_scalar(bare)}")
    else:
        for item in value:  # type: ignore[attr-defined]
            bare = _bare(item)
            if _nested(bare):
                first = len(lines)
                _write(bare, inner, lines)
                lines[first] = f"{indent}- {lines[first].lstrip()}"
            else:
                lines.append(f"{indent}- {_scalar(bare)}")


def _nested(bare: object) -> bool:
    """Whether a value takes lines of its own."""
    if type(bare) is dict or type(bare) is list:  # nearly all that does, and quickly told
        return bool(bare)
    return not isinstance(bare, str | int | float) and isinstance(bare, Mapping | Sequence) and bool(bare)


def _spans(root: Mapping[str, object]) -> dict[int, Span]:
    return {number: line.span for number, line in enumerate(_block(root, "", None), 1) if line.span is not None}


def _block(value: object, indent: str, span: Span | None) -> Iterator[_Line]:
    if isinstance(value, At):
        yield from _block(value.value, indent, value.span or span)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _entry(f"{indent}{_key(key)}:", item, indent + "  ", span)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for item in value:
            yield from _item(item, indent, span)
    else:
        raise TypeError(f"no block: {type(value).__name__}")


@lru_cache
def _key(key: object) -> str:
    text = str(key)
    return text if _PLAIN_KEY.match(text) else quote(text)


def _bare(value: object) -> object:
    while type(value) is At:
        value = value.value
    return value


def _span(value: object, span: Span | None) -> Span | None:
    return _span(value.value, value.span or span) if isinstance(value, At) else span


def _entry(head: str, item: object, indent: str, span: Span | None) -> Iterator[_Line]:
    bare, own = _bare(item), _span(item, span)
    if isinstance(bare, str) or not isinstance(bare, Mapping | Sequence) or not bare:
        yield _Line(f"{head} {_scalar(bare)}", own)
        return
    yield _Line(head, own)
    yield from _block(bare, indent, own)


def _item(item: object, indent: str, span: Span | None) -> Iterator[_Line]:
    bare, own = _bare(item), _span(item, span)
    if isinstance(bare, str) or not isinstance(bare, Mapping | Sequence) or not bare:
        yield _Line(f"{indent}- {_scalar(bare)}", own)
        return
    first, *rest = _block(bare, indent + "  ", own)
    yield _Line(f"{indent}- {first.text.lstrip()}", first.span)
    yield from rest


def _scalar(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return quote(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else format(value, "f").rstrip("0")
    if isinstance(value, Mapping):
        return "{}"
    if isinstance(value, Sequence):
        return "[]"
    raise TypeError(f"no scalar: {type(value).__name__}")
