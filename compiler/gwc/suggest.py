"""Mistyped words, and suggestions for them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


class UnknownNameError(Exception):
    """A name that is none of `known`; `what` is what it should name."""

    def __init__(self, what: str, name: str, known: Sequence[str]) -> None:
        super().__init__(f"unknown {what} {name!r}")
        self.name, self.known = name, known


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """ "did you mean `x`?" for the closest of `known`, or nothing when none is close."""
    import difflib

    close = difflib.get_close_matches(word, list(known), 1, 0.7)
    return f"did you mean `{close[0]}`?" if close else ""
