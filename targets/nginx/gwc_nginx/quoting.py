"""How a policy's text becomes one argument of an NGINX directive and nothing else.

NGINX has no escape for `$` where variables are expanded, so `$` is spelled through a variable that holds it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

DOLLAR = "${gwc_dollar}"
"""A `geo` variable of the emitted configuration whose value is the one character."""

_LONGEST = 4000  # one argument of more than 4096 bytes is refused by NGINX's own parser
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SPECIAL = re.compile(r"[^A-Za-z0-9]")


@lru_cache(maxsize=4096)  # most are the same for every route
def q(text: str) -> str:
    """One double-quoted argument. `$` keeps its meaning: for our own expressions and for regexes."""
    if _CONTROL.search(text):
        raise ValueError("a control character cannot be written into an NGINX configuration")
    quoted = '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if len(quoted.encode()) > _LONGEST:
        raise ValueError(f"an NGINX argument holds at most {_LONGEST} bytes")
    return quoted


def qlit(text: str) -> str:
    """One argument that NGINX expands to exactly `text`."""
    return q(text.replace("$", DOLLAR))


@lru_cache(maxsize=4096)
def regex(text: str) -> str:
    """A literal inside a regex: everything but ASCII letters and digits as its bytes in hexadecimal."""
    return _SPECIAL.sub(lambda found: "".join([f"\\x{byte:02x}" for byte in found[0].encode()]), text)


def milliseconds(seconds: float) -> str:
    """NGINX's time; at least one millisecond, because zero often means never."""
    return f"{max(1, round(seconds * 1000))}ms"


def text_lines(lines: Iterable[str]) -> str:
    """One argument of several lines, each ended. `$` keeps its meaning."""
    return '"' + "".join(q(line)[1:-1] + "\\n" for line in lines) + '"'
