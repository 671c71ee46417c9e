"""What the edge remembers, by key; only times, no answers."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from urllib.parse import unquote

from gwc.ir import Cache
from gwc.model.request import Answer, Request

ENTRIES = 100_000
"""The most that is remembered; the engines' stores are bounded by size."""
NEGATIVE = (301, 404)
COVERED = ("", "concurrency", "upstream.concurrency", "breaker")
"""What may have refused where a kept answer covers for the service: it failed, or gets a pause."""


@dataclass(slots=True)
class Kept:
    """`renewed_at` is when a renewal that is under way ends, with `renewed` or nothing to show for it. `content` is the
    Answer's, which is whole from `since` on."""

    status: int
    fresh_until: float
    negative: bool
    renewed_at: float = 0.0
    renewed: Kept | None = None
    content: object = None
    since: float = 0.0


class Store:
    """Least used first out."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[object, ...], Kept] = OrderedDict()

    def get(self, key: tuple[object, ...], now: float) -> Kept | None:
        kept = self._kept.get(key)
        if kept is None:
            return None
        if kept.renewed is not None and now >= kept.renewed_at:
            kept = self._kept[key] = kept.renewed
        self._kept.move_to_end(key)
        return kept

    def forget(self, route: str) -> None:
        """Everything that is kept for a route, named as in `key`."""
        for key in [key for key in self._kept if key[0] == route]:
            del self._kept[key]

    def put(self, key: tuple[object, ...], kept: Kept) -> None:
        self._kept[key] = kept
        self._kept.move_to_end(key)
        if len(self._kept) > ENTRIES:
            self._kept.popitem(last=False)


def key(route: str, host: str, path: str, cache: Cache, request: Request) -> tuple[object, ...]:
    """A log does not tell the scheme: there it is plain HTTP."""
    query: tuple[tuple[str, str], ...] = ()
    if cache.vary_query and request.query:
        pairs = (_parameter(part) for part in request.query.split("&"))
        query = tuple(sorted(((n, v) for n, v in pairs if n in cache.vary_query), key=lambda pair: pair[0]))
    headers = tuple(request.headers.get(name) for name in cache.vary_headers)
    return route, request.https, host, path, query, headers, request.user if cache.per_user else ""


def _parameter(part: str) -> tuple[str, str]:
    """A value counts as it was written: `+` and `%20` are two."""
    name, _, value = part.partition("=")
    return (unquote(name) if "%" in name else name), value


def lifetime(cache: Cache, answer: Answer) -> float:
    """Seconds that an answer is fresh; 0 for one that is not stored."""
    if not answer.cacheable:
        return 0.0
    if answer.status == 200:
        return cache.ttl
    return (cache.negative_ttl or 0.0) if answer.status in NEGATIVE else 0.0


def covers_failure(cache: Cache, kept: Kept | None, now: float) -> bool:
    return kept is not None and not kept.negative and now < kept.fresh_until + cache.stale_if_error


def renews_behind(cache: Cache, kept: Kept, now: float) -> bool:
    return not kept.negative and now < kept.fresh_until + cache.stale_while_revalidate
