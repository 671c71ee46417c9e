"""Values of other programs in the language's words."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal

from gwc.policy.types import Method
from gwc.units import MAX_DURATION, MAX_SIZE, MAX_TOKENS, Rate, format_duration, format_rate, format_size

METHODS: tuple[str, ...] = Method.__args__  # type: ignore[attr-defined]
_PERIODS = (1, 60, 3600, 86400)


def duration(seconds: float) -> tuple[str, bool]:
    """The closest duration of the language, and whether it is exactly that one."""
    kept = min(max(round(seconds * 1000), 1), int(MAX_DURATION * 1000))
    return format_duration(float(Decimal(kept) / 1000)), abs(kept / 1000 - seconds) < 1e-9


def size(count: float) -> tuple[str, bool]:
    kept = min(max(int(count), 0), MAX_SIZE)
    return format_size(kept), kept == count


def rate(count: float, seconds: float) -> tuple[str, bool]:
    """`count` in `seconds` as a rate; the next lower one, and false, where no period of the language divides it."""
    for period in _PERIODS:
        tokens = count * period / seconds
        if period >= 1 and abs(tokens - round(tokens)) < 1e-9 and 1 <= tokens <= MAX_TOKENS and period >= seconds:
            return format_rate(Rate(round(tokens), period)), True
    for period in _PERIODS:
        if (tokens := int(count * period / seconds)) >= 10 or (period == _PERIODS[-1]):
            return format_rate(Rate(min(max(tokens, 1), MAX_TOKENS), period)), False
    raise AssertionError("the last period ends the loop")


def slug(text: str, fallback: str = "service", limit: int = 63) -> str:
    """A DNS label made from `text`."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", text)
    label = re.sub(r"[^a-z0-9]+", "-", spaced.lower()).strip("-")
    return label[:limit].strip("-") or fallback


class Names:
    """Gives each its own: the second `orders` becomes `orders-2`."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken)
        self._next: dict[str, int] = {}

    def take(self, wanted: str, limit: int = 63) -> str:
        name, number = wanted[:limit], self._next.get(wanted, 2)
        while name in self._taken:
            name = f"{wanted[: limit - 6].strip('-')}-{number}"
            number += 1
        self._next[wanted] = number
        self._taken.add(name)
        return name


def route_name(path: str, methods: Iterable[str] = ()) -> str:
    """What a route is called when nobody named it: the words of its path."""
    words = slug(re.sub(r"/\*\*$", "/all", path.replace("{", "-").replace("}", "-")), fallback="root", limit=50)
    listed = [method.lower() for method in methods]
    return f"{listed[0]}-{words}" if len(listed) == 1 else words


def environment_name(*words: str) -> str:
    """The name of the environment variable that stands for a secret of the source."""
    name = re.sub(r"[^A-Z0-9]+", "_", "_".join(words).upper()).strip("_")
    return (name if name[:1].isalpha() else f"SECRET_{name}")[:100]
