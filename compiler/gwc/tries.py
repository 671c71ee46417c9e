"""How often a request may be tried, and how long the pauses between its tries may take."""

from __future__ import annotations

from gwc.ir import Retries

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
"""Those that may be repeated whatever became of the first try; others only with `unsafe: true`."""


def pauses(retries: Retries) -> tuple[float, ...]:
    """Seconds before each extra try, at most: the backoff doubles from its base up to its maximum."""
    return tuple(min(retries.backoff_base * 2.0**number, retries.backoff_max) for number in range(retries.attempts))
