"""What the filters of the page offer: facets of routes, in the reader's words, and how many routes have each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from gwc.support import Fidelity, SupportTable

Choices = tuple[tuple[str, str], ...]
"""A facet and its words."""

_WORDS: Mapping[str, Choices] = {
    "auth": (("auth:public", "public"), ("auth:jwt", "signed token"), ("auth:api_key", "API key")),
    "limit": (
        ("limit:ip", "per address"),
        ("limit:user", "per user"),
        ("limit:service", "over all clients"),
        ("limit:header", "per header"),
        ("limit:shadow", "shadow, refusing nothing"),
        ("limit:none", "none at all"),
    ),
    "cache": (
        ("cache:kept", "cached"),
        ("cache:public", "kept for everybody"),
        ("cache:user", "kept for each user"),
        ("cache:none", "not cached"),
    ),
    "has": (
        ("has:budget", "spends a budget"),
        ("has:stream", "stream of events"),
        ("has:websocket", "websocket"),
        ("has:cors", "CORS"),
        ("has:waiver", "excused by a waiver"),
    ),
}


def choices(counts: Mapping[str, int], owners: Sequence[str], tables: Sequence[SupportTable]) -> Mapping[str, Choices]:
    """By the kind of facet; nothing that no route has. `owners` are those of the services, one each."""
    kinds = {**_WORDS, "on": tuple(_inexact(tables))}
    offered = {
        kind: tuple((facet, f"{words} ({counts[facet]})") for facet, words in every if counts[facet])
        for kind, every in kinds.items()
    }
    return {**offered, "owner": tuple((name, f"{name} ({count})") for name, count in sorted(Counter(owners).items()))}


def _inexact(tables: Sequence[SupportTable]) -> Iterator[tuple[str, str]]:
    for table in tables:
        for fidelity in (Fidelity.APPROXIMATE, Fidelity.UNSUPPORTED):
            yield f"on:{table.target}:{fidelity}", f"{table.target}: {fidelity}"
