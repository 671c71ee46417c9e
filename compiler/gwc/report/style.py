"""Colour for terminals, nothing for pipes."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TextIO

Style = Callable[[str, str], str]
"""(role, text) -> text as the reader's medium shows it."""

_CODES = {
    "error": "1;31",
    "warning": "1;33",
    "info": "1;36",
    "place": "1",
    "code": "2",
    "gutter": "34",
    "hint": "32",
    "ok": "32",
}


def plain(role: str, text: str) -> str:  # noqa: ARG001  the signature of a Style
    return text


def coloured(role: str, text: str) -> str:
    """`text` in the colour of `role`, as ANSI escapes."""
    return f"\x1b[{_CODES[role]}m{text}\x1b[0m"


def style_for(stream: TextIO) -> Style:
    """Colour on a terminal, unless NO_COLOR (no-color.org) or a dumb terminal asks for none."""
    wanted = stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return coloured if wanted else plain
