"""The plain way to write YAML, read quickly: block mappings and lists, values of one line, comments.

Nothing here decides what YAML means; `gwc.document` does. This reader knows by heart how most policies look, and gives
up at whatever else it meets: an anchor, a tag, a text of several lines, a duplicate key, any mistake. Then the strict
reader reads the file. tests/property/test_plain.py holds the two against each other: whatever is read here is read
there, to the same data, and stands at the same places (`gwc.outline`).

A line means the same wherever it stands, so each is looked at once and remembered: a fleet's policies repeat them.
"""

from __future__ import annotations

import re
from typing import Any

MAX_TEXT = 100_000
"""Characters: far below what the strict reader's own bounds can be about."""
MAX_DEPTH = 20
_MOST_LINES = 100_000

_INT = re.compile(r"[-+]?[0-9]+\Z|0o[0-7]+\Z|0x[0-9a-fA-F]+\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_CONSTANTS: dict[str, object] = {"": None, "~": None, "null": None, "true": True, "false": False}
_NUMERIC = frozenset("0123456789+-.")
_LONGEST_NUMBER = 40

_ASCII = re.compile("[^\n\x20-\x7e]")
_STRANGE = "[^\n\x20-\x7e\xa1-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
"""Tabs, carriage returns and everything that is a space or a line's end to somebody. Slow to compile, and rare."""
_LINE = re.compile(r"( *)(?:(-)(?: +|\Z))?(?:([A-Za-z_][A-Za-z0-9_.-]{0,80}):(?: +|\Z))?(.*)\Z")
_QUOTED = re.compile(r"""(?:"([^"\\]*)"|'([^']*)')(?: *| +#.*)\Z""")
_FIRST = re.compile(r"[A-Za-z0-9_/.+~$(<=^;]|-[A-Za-z0-9.]")
FLOW = re.compile(
    r""" *(?:([\[\]{}])|(,)|([A-Za-z_][A-Za-z0-9_.-]{0,80}):\ +|"([^"\\]*)"|'([^']*)'"""
    r"""|((?:[A-Za-z0-9_/.+~$(<=^;]|-[A-Za-z0-9.])"""
    r"""(?:[A-Za-z0-9_/.+~$()<=^;%@*-]|:(?=[A-Za-z0-9/])|\ +(?=[A-Za-z0-9_/(]))*))"""
)
_END = re.compile(r"(?: *| +#.*)\Z")
REST = re.compile(r" *([^\n]*)")
"""What follows a key's colon, or a dash."""


class _GiveUpError(Exception):
    """Not plain."""


_Token = tuple[int, str | None, Any, bool]
"""The column, the key (None for a list's item), the value, and whether there is one."""
_Nothing: _Token = (-1, None, None, False)
_known: dict[str, tuple[_Token, ...]] = {}


def read(text: str) -> dict[str, Any] | None:
    """The data of a document whose root is a mapping, never to be changed; None where the text is not plain."""
    if len(text) > MAX_TEXT or (_ASCII.search(text) if text.isascii() else re.search(_STRANGE, text)):
        return None
    try:
        tokens = _tokens(text)
        value, end = _block(tokens, 0, 0, 0)
    except _GiveUpError:
        return None
    return value if end == len(tokens) - 1 and type(value) is dict else None


def scalar(text: str) -> object:
    """What a plain scalar means in YAML's core schema."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text[0] not in _NUMERIC or len(text) > _LONGEST_NUMBER:
        return text
    if _INT.match(text):
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    return float(text) if _FLOAT.match(text) else text


def entries(text: str) -> tuple[list[int], str]:
    """Each key and each item of the blocks of a plain text: where it begins, and as a character, how deep it is. What
    is deeper than the one before lies below it: of an item and a key in one column, the item."""
    starts: list[int] = []
    levels: list[str] = []
    offset = 0
    for line in text.split("\n"):
        known = _known.get(line)
        for column, key, _, _ in _line(line) if known is None else known:
            starts.append(offset + column)
            levels.append(chr(2 * column + (key is None)))
        offset += len(line) + 1
    return starts, "".join(levels)


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    for line in text.split("\n"):
        known = _known.get(line)
        if known is None:
            known = _line(line)
            if len(_known) < _MOST_LINES:
                _known[line] = known
        found += known
    found.append(_Nothing)
    return found


def _line(line: str) -> tuple[_Token, ...]:
    match = _LINE.match(line)
    assert match is not None
    space, dash, key, rest = match.groups()
    column = len(space)
    if not rest or rest[0] == "#":
        rest = ""
        if key is None and dash is None:
            return ()
    has, value = (True, _value(rest)) if rest else (False, None)
    if key is None:
        if dash is None:
            raise _GiveUpError
        return ((column, None, value, has),)
    token = (match.start(3), key, value, has)
    return (token,) if dash is None else ((column, None, None, False), token)


def _value(rest: str) -> Any:
    if _FIRST.match(rest):
        text = unquoted(rest)
        if ": " in text or text[-1] == ":":
            raise _GiveUpError
        return scalar(text)
    if rest[0] in "[{":
        value, end = _flow(rest, 0, 0)
        if _END.match(rest, end):
            return value
    elif quoted := _QUOTED.match(rest):
        return quoted[1] if quoted[2] is None else quoted[2]
    raise _GiveUpError


def unquoted(rest: str) -> str:
    """Without the comment."""
    comment = rest.find(" #")
    return (rest if comment < 0 else rest[:comment]).rstrip(" ")


def _flow(text: str, start: int, depth: int) -> tuple[Any, int]:
    """The value that begins at `start`, and where it ends."""
    match = FLOW.match(text, start)
    if match is None or depth > MAX_DEPTH:
        raise _GiveUpError
    bracket, _, _, double, single, word = match.groups()
    if word is not None:
        return scalar(word), match.end()
    if bracket == "[":
        return _flow_list(text, match.end(), depth + 1)
    if bracket == "{":
        return _flow_mapping(text, match.end(), depth + 1)
    if double is None and single is None:
        raise _GiveUpError
    return single if double is None else double, match.end()


def _flow_list(text: str, start: int, depth: int) -> tuple[list[Any], int]:
    items: list[Any] = []
    if (end := closed(text, start, "]")) is not None:
        return items, end
    while True:
        value, start = _flow(text, start, depth)
        items.append(value)
        if (end := closed(text, start, "]")) is not None:
            return items, end
        start = after_comma(text, start)


def _flow_mapping(text: str, start: int, depth: int) -> tuple[dict[str, Any], int]:
    items: dict[str, Any] = {}
    if (end := closed(text, start, "}")) is not None:
        return items, end
    while True:
        match = FLOW.match(text, start)
        if match is None or (key := match[3]) is None or key in items:
            raise _GiveUpError
        items[key], start = _flow(text, match.end(), depth)
        if (end := closed(text, start, "}")) is not None:
            return items, end
        start = after_comma(text, start)


def closed(text: str, start: int, bracket: str) -> int | None:
    match = FLOW.match(text, start)
    return match.end() if match is not None and match[1] == bracket else None


def after_comma(text: str, start: int) -> int:
    match = FLOW.match(text, start)
    if match is None or match[2] is None:
        raise _GiveUpError
    return match.end()


def _block(tokens: list[_Token], at: int, column: int, depth: int) -> tuple[Any, int]:
    """The mapping or list whose first line is at `at`, and where the next one is."""
    if depth > MAX_DEPTH:
        raise _GiveUpError
    if tokens[at][1] is None:
        return _list(tokens, at, column, depth)
    items: dict[str, Any] = {}
    here, key, value, has = tokens[at]
    while here == column:
        at += 1
        if key is None or key in items:
            raise _GiveUpError
        if has:
            items[key] = value
            here, key, value, has = tokens[at]
            continue
        inner, below, _, _ = tokens[at]
        if inner > column or (inner == column and below is None):
            items[key], at = _block(tokens, at, inner, depth + 1)
        else:
            items[key] = None
        here, key, value, has = tokens[at]
    if here > column:
        raise _GiveUpError
    return items, at


def _list(tokens: list[_Token], at: int, column: int, depth: int) -> tuple[list[Any], int]:
    items: list[Any] = []
    here, key, value, has = tokens[at]
    while here == column and key is None:
        at += 1
        inner = tokens[at][0]
        if has:
            items.append(value)
        elif inner > column:
            value, at = _block(tokens, at, inner, depth + 1)
            items.append(value)
        else:
            items.append(None)
        here, key, value, has = tokens[at]
    if here > column:
        raise _GiveUpError
    return items, at
