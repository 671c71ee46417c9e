"""What the hop that makes a route's tries has to know, as one text: settings.js reads its fields in this order.

NGINX loads it faster than an object, and only that hop looks into it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_SHARED = (
    *("attempts", "connect", "reset", "perTry", "statuses", "backoffBase", "backoffMax", "budget", "unsafe"),
    *("firstByte", "patience"),
)
FIELDS = ("lane", *_SHARED)
"""Parted by tabs. Nothing stands for null, false and an empty list, and for what the text is too short for."""


def written(told: Mapping[str, Any]) -> str:
    """All but the first one."""
    text = "\t".join([_word(told[name]) for name in _SHARED])
    assert text.count("\t") == len(_SHARED) - 1, "no field holds a tab"
    return text.rstrip("\t")


def _word(value: Any) -> str:
    if value is None or value is False:
        return ""
    return "1" if value is True else " ".join(map(str, value)) if isinstance(value, list) else str(value)


def read(text: str) -> dict[str, str]:
    """The fields that say something."""
    return {name: word for name, word in zip(FIELDS, text.split("\t")) if word}  # noqa: B905 - empty ones are left out
