"""YAML that every parser reads alike: block style, one key a line, every string double-quoted."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import yaml

from gwc.diagnostics import Span
from gwc_kong.sharing import At, Record, Shared, bare

LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""To read such text: a safe one, and the one in C, which is ten times as fast, where there is one."""
_PLAIN_KEY = re.compile(r"(?!(?:y|n|yes|no|on|off|true|false|null)\Z)[a-z_]+\Z")
"""Words that no reader of YAML takes for anything but text."""
_HARMLESS = re.compile(r"[ !#-\[\]-~]*\Z")
"""Printable ASCII without quotes and backslashes."""
_SIMPLE = re.compile(r"[ -~\n]*\Z")


def quote(text: str) -> str:
    """A double-quoted scalar in printable ASCII: nothing in it can end it or be taken for another type."""
    if _HARMLESS.match(text):
        return f'"{text}"'
    return f'"{escaped(text)}"'


def escaped(text: str) -> str:
    """What stands between the quotes."""
    if _SIMPLE.match(text):
        return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\x0A")
    return "".join(map(_escape, text))


def _escape(char: str) -> str:
    if char in '"\\':
        return "\\" + char
    if " " <= char <= "~":
        return char
    code = ord(char)
    return f"\\x{code:02X}" if code < 0x100 else f"\\u{code:04X}" if code < 0x10000 else f"\\U{code:08X}"


def text(mapping: Mapping[str, object], indent: str = "") -> str:
    """The lines of a mapping: those of `lines`, several times as fast, and made once only where they are shared."""
    if type(mapping) is Shared:
        return mapping.known(indent, lambda made: text(made, indent))
    if type(mapping) is Record:
        return "".join([text(piece, indent) for piece in mapping.pieces])
    found = []
    for key, item in mapping.items():
        plain = bare(item) if type(item) is At else item
        if type(plain) is str:
            found.append(f"{indent}{_key(key)}: {quote(plain)}\n")
        elif type(plain) is int:
            found.append(f"{indent}{_key(key)}: {plain}\n")
        else:
            found.append(_entry_text(f"{indent}{_key(key)}:", plain, indent))
    return "".join(found)


def items(sequence: Iterable[object], indent: str) -> str:
    """The lines of a sequence."""
    return "".join([_item_text(bare(item), indent) for item in sequence])


def _entry_text(head: str, plain: object, indent: str) -> str:
    nested = _nested_text(plain, indent + "  ")
    return f"{head}\n{nested}" if nested else f"{head} {scalar(plain)}\n"


def _item_text(plain: object, indent: str) -> str:
    inner = indent + "  "
    nested = _nested_text(plain, inner)
    return f"{indent}- {nested[len(inner) :]}" if nested else f"{indent}- {scalar(plain)}\n"


def _nested_text(plain: object, indent: str) -> str:
    """Nothing for what is written on the line of its key."""
    if type(plain) is list:
        return items(plain, indent)
    if type(plain) not in _MAPPINGS and isinstance(plain, str | int | float):
        return ""
    if type(plain) in _MAPPINGS or isinstance(plain, Mapping):
        return text(plain, indent)  # type: ignore[arg-type]  # mypy does not know what is in a set
    return items(plain, indent) if isinstance(plain, Sequence) else ""


_MAPPINGS = frozenset({dict, Shared, Record})
"""Nearly all of them, and quickly told."""


@dataclass(frozen=True, slots=True)
class Line:
    text: str
    span: Span | None


def spans(root: Mapping[str, object]) -> dict[int, Span]:
    """The policy text behind the lines of a document, by their number."""
    return {number: line.span for number, line in enumerate(lines(root), 1) if line.span is not None}


def lines(root: Mapping[str, object]) -> Iterator[Line]:
    """The lines of a document, and where they came from."""
    return _block(root, "", None)


def _block(value: object, indent: str, span: Span | None) -> Iterator[Line]:
    if isinstance(value, At):
        yield from _block(value.value, indent, _span(value, span))
    elif isinstance(value, Mapping):
        made = value.made() if isinstance(value, Shared | Record) else value
        for key, item in made.items():
            yield from _entry(f"{indent}{_key(key)}:", item, indent + "  ", span)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for item in value:
            yield from _item(item, indent, span)
    else:
        raise TypeError(f"no block: {type(value).__name__}")


@lru_cache
def _key(key: object) -> str:
    word = str(key)
    return word if _PLAIN_KEY.match(word) else quote(word)


def _span(value: object, span: Span | None) -> Span | None:
    if not isinstance(value, At):
        return span
    origin = value.origin
    return _span(value.value, span if origin is None else origin.span)


def _entry(head: str, item: object, indent: str, span: Span | None) -> Iterator[Line]:
    plain, own = bare(item), _span(item, span)
    if isinstance(plain, str) or not isinstance(plain, Mapping | Sequence) or not plain:
        yield Line(f"{head} {scalar(plain)}", own)
        return
    yield Line(head, own)
    yield from _block(plain, indent, own)


def _item(item: object, indent: str, span: Span | None) -> Iterator[Line]:
    plain, own = bare(item), _span(item, span)
    if isinstance(plain, str) or not isinstance(plain, Mapping | Sequence) or not plain:
        yield Line(f"{indent}- {scalar(plain)}", own)
        return
    first, *rest = _block(plain, indent + "  ", own)
    yield Line(f"{indent}- {first.text.lstrip()}", first.span)
    yield from rest


def scalar(value: object) -> str:
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
