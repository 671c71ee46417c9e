"""Kong's router expressions, as far as gwc writes them, turned into Lua predicates. Anything else is an error."""

from __future__ import annotations

import re

_EQUAL = re.compile(r'http\.headers\.([a-z0-9_]+) == "([^"\\]*)"\Z')


def lua_bytes(data: bytes) -> str:
    return '"' + "".join(f"\\{b:03d}" for b in data) + '"'


def lua_string(text: str) -> str:
    return '"' + "".join(chr(b) if 0x20 <= b <= 0x7E and b not in b'"\\' else f"\\{b:03d}" for b in text.encode()) + '"'


def to_lua(expression: str) -> str:
    """A Lua expression over `headers`, as Kong reads them: every value of a header has to be the one asked for."""
    found = _EQUAL.match(expression)
    if found is None:
        raise ValueError(f"no expression that gwc writes: {expression}")
    return f"all(headers[{lua_string(found[1])}], {lua_string(found[2])})"
