"""YAML that every parser reads alike: block style, one key a line, every string double-quoted."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from gwc.diagnostics import Span
from gwc.ir import Node

LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""To read such text: a safe one, and the one in C, which is ten times as fast, where there is one."""
_PLAIN_KEY = re.compile(r"[a-z_]+\Z")


@dataclass(frozen=True, slots=True)
class At:
    """`value`, and the policy text that all of its lines came from."""

    value: object
    span: Span | None


def at(node: Node, field: str, value: object) -> At:
    """`value`, as it was written in `field` of the node."""
    origin = node.provenance.get(field)
    return At(value, origin.span if origin else None)


@dataclass(frozen=True, slots=True)
class _Line:
    text: str
    span: Span | None


def quote(text: str) -> str:
    """A double-quoted scalar in printable ASCII: nothing in it can end it or be taken for another type."""
    return '"' + "".join(_escape(char) for char in text) + '"'


def _escape(char: str) -> str:
    if char in '"\\':
        return "\\" + char
    if " " <= char <= "~":
        return char
    code = ord(char)
    return f"\\x{code:02X}" if code < 0x100 else f"\\u{code:04X}" if code < 0x10000 else f"\\U{code:08X}"


def render(root: Mapping[str, object]) -> tuple[str, dict[int, Span]]:
    """The document's text, and for each of its lines the span it came from, where known."""
    lines = list(_block(root, "", None))
    spans = {number: line.span for number, line in enumerate(lines, 1) if line.span is not None}
    return "".join(line.text + "\n" for line in lines), spans


def _block(value: object, indent: str, span: Span | None) -> Iterator[_Line]:
    if isinstance(value, At):
        yield from _block(value.value, indent, value.span or span)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _entry(f"{indent}{_key(str(key))}:", item, indent + "  ", span)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for item in value:
            yield from _item(item, indent, span)
    else:
        raise TypeError(f"no block: {type(value).__name__}")


def _key(key: str) -> str:
    return key if _PLAIN_KEY.match(key) else quote(key)


def _bare(value: object) -> object:
    return _bare(value.value) if isinstance(value, At) else value


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
