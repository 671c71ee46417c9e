"""Suggestions for a mistyped word."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """ "did you mean `x`?" for the closest of `known`, or nothing when none is close."""
    close = difflib.get_close_matches(word, list(known), 1, 0.7)
    return f"did you mean `{close[0]}`?" if close else ""
