"""What of a running configuration may be shown: nothing that could be a secret.

A gateway that drifted may hold anything, so a value of its own is only shown when it can be none: a number, a duration,
a word of the engine's, an address, or a text that the policies' own rendering contains, too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from gwc.live.tree import ORDER, Place, Tree

HIDDEN = "***"
LONGEST = 60
_SECRET = re.compile(
    r"secret|passw|credential|private|authorization|cookie|api[-_]?key|inline_|(?<![a-z])tokens?(?![a-z_])", re.I
)
_HARMLESS = re.compile(
    r"-?\d+(\.\d+)?(ms|s|m|h|d|k|%)?|true|false|on|off|[A-Z][A-Z_]{1,30}|TLSv1[._]\d"
    r"|(https?://)?(\d{1,3}(\.\d{1,3}){3}|\[[0-9a-fA-F:]+\]|localhost)(:\d{1,5})?(/\d{1,3})?"
)


def shown(value: Tree, place: Place, known: frozenset[str]) -> str | None:
    """The value on one line; None for a branch, and for nothing. `known` are the texts of the rendering itself."""
    if value is None or isinstance(value, Mapping) or place[-1:] == (ORDER,):
        return None
    text = ("true" if value else "false") if isinstance(value, bool) else str(value)
    if any(_SECRET.search(step) for step in place[-3:]):
        return HIDDEN
    said = text if text in known else " ".join(_word(word, known) for word in text.split(" "))
    return said if len(said) <= LONGEST else f"{said[:LONGEST]}…"


def _word(word: str, known: frozenset[str]) -> str:
    return word if word in known or _HARMLESS.fullmatch(word) else HIDDEN


def shown_place(place: Place, known: frozenset[str], found: Tree = None) -> str:
    """Steps that the rendering does not have may be values of the gateway's: these are not shown."""
    steps = [_step(step, before, known) for step, before in zip(place, ("", *place), strict=False)]
    if found == place[-1]:  # a member of a list of texts: the step is the text
        steps[-1] = shown(found, place, known) or HIDDEN
    return " > ".join(steps)


_TABLES = re.compile(r"(map|geo|split_clients) ")
"""Blocks of NGINX whose directives are values."""


def _step(step: str, before: str, known: frozenset[str]) -> str:
    unsafe = _TABLES.match(before) or not re.fullmatch(r"[\w$./:@~#()\- ]{1,60}", step)
    if step not in known and unsafe:
        return f"{HIDDEN} ({len(step)} characters)"
    return step if len(step) <= LONGEST else f"{step[:LONGEST]}…"
