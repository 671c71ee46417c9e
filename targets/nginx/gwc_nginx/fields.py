"""The settings of a route as text: what settings.js reads has its names and their order here.

NGINX takes twenty times as long to load objects as it takes for texts, and a time that grows with the square of their
number; and a request that parsed JSON would pay for the names in it. So a line of text holds fields, parted by tabs.
Nothing stands for null, false and an empty list, and for what a line is too short for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

OWN = ("place", "store", "asked", "early", "late", "budget", "cost", "charge")
"""What a route has for itself. No such field is the last one of its line."""

SHARED = (
    *("strip", "tries", "timeout", "firstByte", "auth.providers", "auth.scopes", "response.remove", "response.set"),
    *("cors.origins", "cors.credentials", "cors.methods", "cors.headers", "cors.maxAge"),
    *("cache.policy", "cache.ttl", "cache.negative", "cache.ifError", "cache.whileRevalidate", "cache.query"),
    *("cache.headers", "cache.user", "cache.largest", "cache.request"),
)

TRIED = (
    *("attempts", "connect", "reset", "perTry", "statuses", "backoffBase", "backoffMax", "budget", "unsafe"),
    *("firstByte", "patience"),
)

LINES = {"admission": (*OWN, *SHARED), "tries": ("lane", *TRIED)}
"""By line: what admits a request and answers it; of a route with tries, what the hop that makes them needs."""


def written(names: tuple[str, ...], told: Mapping[str, Any]) -> str:
    words = [_word(told.get(name)) for name in names]
    text = "\t".join(words)
    assert text.count("\t") == len(names) - 1, "no field holds a tab"
    assert "\n" not in text, "nor the end of a line"
    return text if names is OWN else text.rstrip("\t")


def _word(value: Any) -> str:
    if value is None or value is False:
        return ""
    return "1" if value is True else " ".join(map(str, value)) if isinstance(value, list) else str(value)


def read(text: str) -> dict[str, dict[str, str]]:
    """By line the fields that say something."""
    rows = {line: zip(names, row.split("\t")) for (line, names), row in zip(LINES.items(), text.split("\n"))}  # noqa: B905
    return {line: {name: word for name, word in row if word} for line, row in rows.items()}
