"""A stretch of a policy as a reader sees it: the line, its number, and an underline.

Policies are other people's text on somebody's terminal: control characters are made visible, never sent.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache

from gwc.diagnostics import Span

Texts = Mapping[str, str]
"""The text of each file by the name that spans give it."""

_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")  # what YAML counts as the end of a line
_WIDTH = 140
_MARGIN = 40


@lru_cache(maxsize=64)
def _lines(text: str) -> tuple[str, ...]:
    return tuple(_BREAK.split(text))


def printable(text: str) -> str:
    """`text` with tabs as spaces and every other character that could steer a terminal as U+FFFD, one for one."""
    if text.isascii() and text.isprintable():
        return text
    import unicodedata

    return "".join(" " if c == "\t" else "\ufffd" if unicodedata.category(c) in _STEERING else c for c in text)


_STEERING = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})  # control, format (bidirectional overrides), surrogates, breaks


def source_line(texts: Texts, span: Span) -> str | None:
    """The line where `span` starts; None where the text is not at hand."""
    lines = _lines(texts[span.file]) if span.file in texts else ()
    return lines[span.line - 1] if 0 < span.line <= len(lines) else None


def masked(text: str, span: Span) -> str:
    """`text` with asterisks for every character of `span` but the breaks of its lines."""
    starts = [0, *(found.end() for found in _BREAK.finditer(text)), len(text)]
    begin, end = starts[span.line - 1] + span.column - 1, starts[span.end_line - 1] + span.end_column - 1
    return text[:begin] + re.sub(r"[^\r\n\x85\u2028\u2029]", "*", text[begin:end]) + text[end:]


def concealed(text: str, pairs: Iterable[tuple[str, str]], lines: Collection[int] = ()) -> str:
    """`text` with asterisks for the values of headers that a policy sets, as long as they are: on every line that names
    the header, and on `lines`."""
    import json

    known = [(name.lower(), form) for name, value in pairs if value for form in {value, json.dumps(value)[1:-1]}]
    if not any(form in text for _, form in known):
        return text
    parts = re.split(f"({_BREAK.pattern})", text)
    for at in range(0, len(parts), 2):
        for name, form in known:
            if name in parts[at].lower() or at // 2 + 1 in lines:
                parts[at] = re.sub(rf"(?<!\w){re.escape(form)}(?!\w)", "*" * len(form), parts[at])
    return "".join(parts)


def excerpt(texts: Texts, span: Span, mark: str) -> tuple[str, str] | None:
    """The line of `span` and its underline made of `mark`; a long line is cut around the span."""
    line = source_line(texts, span)
    if line is None:
        return None
    begin = min(span.column - 1, len(line))
    end = span.end_column - 1 if span.end_line == span.line else len(line.rstrip())
    end = max(begin + 1, min(end, len(line)))
    left = max(0, begin - _MARGIN) if len(line) > _WIDTH else 0
    shown = printable(line[left : left + _WIDTH])
    underline = " " * _cells(shown[: begin - left]) + mark * _cells(shown[begin - left : end - left] or " ")
    return shown.rstrip(), underline


def _cells(text: str) -> int:
    """Terminal columns: two for a wide character, none for a combining one."""
    if text.isascii():
        return len(text)
    import unicodedata

    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)
