"""The plain way to write YAML, read quickly: block mappings and lists, values of one line, comments.

Nothing here decides what YAML means; `gwc.document` does. This reader knows by heart how most policies look, and gives
up at whatever else it meets: an anchor, a tag, a text of several lines, a duplicate key, any mistake. Then the strict
reader reads the file. tests/property/test_plain.py holds the two against each other: whatever is read here is read
there, to the same data, and stands at the same places (`gwc.outline`).

A line means the same wherever it stands, so each is looked at once and remembered: a fleet's policies repeat them. So
does what a key at the margin holds, and each item of a list there: what was read before is taken whole.
"""

from __future__ import annotations

import re
from typing import Any, TypeVar

_K = TypeVar("_K")
_V = TypeVar("_V")

MAX_TEXT = 100_000
"""Characters: far below what the strict reader's own bounds can be about."""
MAX_DEPTH = 20
_MOST_LINES = 4_000
_MOST_BLOCKS = 4_000
_LARGE = 500
"""Characters. What is longer is not the same in two policies, but the items of a list may be."""

_INT = re.compile(r"[-+]?[0-9]+\Z|0o[0-7]+\Z|0x[0-9a-fA-F]+\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_CONSTANTS: dict[str, object] = {"": None, "~": None, "null": None, "true": True, "false": False}
_NUMERIC = frozenset("0123456789+-.")
_LONGEST_NUMBER = 40

_ASCII = bytes((10, *range(32, 127)))
_STRANGE = "[^\n\x20-\x7e\xa1-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
"""Tabs, carriage returns and everything that is a space or a line's end to somebody. Slow to compile, and rare."""
_LINE = re.compile(r"( *)(?:(-)(?: +|\Z))?(?:([A-Za-z_][A-Za-z0-9_.-]{0,80}):(?: +|\Z))?(.*)\Z")
_ENTRY = re.compile(r"^ *(?:(-)(?: +|$))?(?:([A-Za-z_][A-Za-z0-9_.-]{0,80}):(?: |$))?", re.MULTILINE)
"""What `_LINE` finds of a line that begins with an item or a key; nothing at the begin of any other."""
_QUOTED = re.compile(r"""(?:"([^"\\]*)"|'([^']*)')(?: *| +#.*)\Z""")
_FIRST = re.compile(r"[A-Za-z0-9_/.+~$(<=^;]|-[A-Za-z0-9.]")
FLOW = re.compile(
    r""" *(?:([\[\]{}])|(,)|([A-Za-z_][A-Za-z0-9_.-]{0,80}):\ +|"([^"\\]*)"|'([^']*)'"""
    r"""|((?:[A-Za-z0-9_/.+~$(<=^;]|-[A-Za-z0-9.])"""
    r"""(?:[A-Za-z0-9_/.+~$()<=^;%@*-]|:(?=[A-Za-z0-9/])|\ +(?=[A-Za-z0-9_/(]))*))"""
)
_MARGIN = re.compile("\n(?=[A-Za-z_])")
_END = re.compile(r"(?: *| +#.*)\Z")
REST = re.compile(r" *([^\n]*)")
"""What follows a key's colon, or a dash."""


class _GiveUpError(Exception):
    """Not plain."""


_Token = tuple[int, str | None, Any, bool]
"""The column, the key (None for a list's item), the value, and whether there is one."""
_Nothing: _Token = (-1, None, None, False)
_known: dict[str, tuple[_Token, ...]] = {}
_blocks: dict[str, tuple[str, Any]] = {}
"""What stands at the margin, by its text: a key and its value."""
_items: dict[tuple[int, str], list[Any]] = {}
"""And the items of lists there, by the column of their dashes and the text behind it: one, mostly."""


def read(text: str) -> dict[str, Any] | None:
    """The data of a document whose root is a mapping, never to be changed: others share them. None where the text is
    not plain."""
    if len(text) > MAX_TEXT or _strange(text):
        return None
    data: dict[str, Any] = {}
    try:
        for piece in _MARGIN.split(text):
            if (found := _blocks.get(piece) or _at_margin(piece)) is not None:
                key, value = found
                if key in data:
                    return None
                data[key] = value
    except _GiveUpError:
        return None
    return data or None


def _strange(text: str) -> bool:
    """Whether it has a character that is not plain."""
    return bool(text.encode().translate(None, _ASCII) if text.isascii() else re.search(_STRANGE, text))


def _at_margin(piece: str) -> tuple[str, Any] | None:
    """What a key at the margin and the lines below it mean; None for comments."""
    if len(piece) > _LARGE and (found := _long_list(piece)) is not None:
        return found
    tokens = _tokens(piece)
    if len(tokens) == 1:
        return None
    value, end = _block(tokens, 0, 0, 0)
    if end < len(tokens) - 1 or type(value) is not dict:
        raise _GiveUpError
    found = next(iter(value.items()))
    if len(piece) <= _LARGE:
        _remember(_blocks, _MOST_BLOCKS, piece, found)
    return found


def _long_list(piece: str) -> tuple[str, Any] | None:
    """As `_at_margin`, where the lines below the key begin with a dash: None where they do not."""
    line, _, below = piece.partition("\n")
    column = len(below) - len(below.lstrip(" "))
    head = _tokens(line)
    at, key, _, has = head[0]
    if not below.startswith("- ", column) or len(head) != 2 or at or key is None or has:
        return None
    items: list[Any] = []
    for text in below[column + 2 :].split(f"\n{' ' * column}- "):
        known = _items.get((column, text))
        items += _items_of(column, text) if known is None else known
    return key, items


def _items_of(column: int, text: str) -> list[Any]:
    tokens = _tokens(f"{' ' * column}- {text}")
    found, end = _list(tokens, 0, column, 1)
    if end < len(tokens) - 1:
        raise _GiveUpError
    if len(text) <= _LARGE:
        _remember(_items, _MOST_BLOCKS, (column, text), found)
    return found


def _remember(known: dict[_K, _V], most: int, key: _K, value: _V) -> None:
    """All is forgotten when there is too much of it: what a fleet repeats is soon there again."""
    if len(known) >= most:
        known.clear()
    known[key] = value


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
    for entry in _ENTRY.finditer(text):
        begin = entry.start()
        for at, is_item in ((entry.start(1), 1), (entry.start(2), 0)):
            if at >= 0:
                starts.append(at)
                levels.append(chr(2 * (at - begin) + is_item))
    return starts, "".join(levels)


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    for line in text.split("\n"):
        known = _known.get(line)
        if known is None:
            known = _line(line)
            _remember(_known, _MOST_LINES, line, known)
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
