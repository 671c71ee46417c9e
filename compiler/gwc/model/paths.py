"""The one form of a path that is matched and forwarded."""

from __future__ import annotations

import re

_FORBIDDEN = re.compile(r"%(?:2[fF]|5[cC]|00)|\x00")
_UNRESERVED = re.compile(r"%(?:2[dDeE]|3[0-9]|4[1-9a-fA-F]|5[0-9aA]|5[fF]|6[1-9a-fA-F]|7[0-9aA]|7[eE])")
_ODD = re.compile(r"%|//|/\.|\\")
"""Without any of these a path is in its form already: nearly every path is."""


def canonical(path: str) -> str | None:
    """`path` in its one form; None for one that is refused with 400."""
    if not path.startswith("/"):
        return None
    if not _ODD.search(path):
        return path
    decoded = _UNRESERVED.sub(lambda found: chr(int(found[0][1:], 16)), path)
    if _FORBIDDEN.search(decoded):  # also where decoding has completed another escape
        return None
    return _without_dots(decoded.replace("\\", "/"))


def _without_dots(path: str) -> str:
    """Dot segments resolved, ending at the root, then slashes merged: an empty segment is one that dots can climb. A
    last dot segment leaves its slash."""
    *segments, last = path.split("/")[1:]
    kept: list[str] = []
    for segment in segments:
        _step(kept, segment)
    if last in (".", ".."):
        _step(kept, last)
        last = ""
    return "/" + "/".join((*filter(None, kept), last))


def _step(kept: list[str], segment: str) -> None:
    if segment == "..":
        del kept[-1:]
    elif segment != ".":
        kept.append(segment)
