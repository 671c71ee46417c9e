"""Conditions and ranges on cached routes, which the gateway answers itself."""

from __future__ import annotations

import re
from datetime import datetime

from gwc.model.wire import Asked, Exchange, Headers, changed, values, without

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_SPOKEN_ON_304 = frozenset({"content-type", "content-length", "content-encoding", "content-language"})


def conditional(asked: Asked, exchange: Exchange) -> None:
    """Turns a 200 into the 304 or the part that the client asked for."""
    if exchange.status != 200:
        return
    if _unchanged(asked, exchange.headers):
        exchange.status, exchange.body = 304, b""
        exchange.headers = without(exchange.headers, _SPOKEN_ON_304)
        return
    _cut_out(asked, exchange)


def _unchanged(asked: Asked, headers: Headers) -> bool:
    wanted = [tag.strip() for value in values(asked.headers, "if-none-match") for tag in value.split(",")]
    if wanted:
        have = {_weak(tag) for tag in values(headers, "etag")}
        return bool(have) and ("*" in wanted or bool(have & {_weak(tag) for tag in wanted}))
    since, modified = _date(asked.headers, "if-modified-since"), _date(headers, "last-modified")
    return since is not None and modified is not None and modified <= since


def _weak(tag: str) -> str:
    return tag.strip().removeprefix("W/")


def _date(headers: Headers, name: str) -> datetime | None:
    from email.utils import parsedate_to_datetime  # few requests have a date to compare

    given = values(headers, name)
    try:
        return parsedate_to_datetime(given[0]) if given else None
    except ValueError:
        return None


def _cut_out(asked: Asked, exchange: Exchange) -> None:
    """One range; anything else gets the whole."""
    given, size = values(asked.headers, "range"), len(exchange.body)
    found = _RANGE.fullmatch(given[0].strip()) if len(given) == 1 else None
    if found is None or not (found[1] or found[2]) or values(asked.headers, "if-range"):
        return
    first = int(found[1]) if found[1] else max(0, size - int(found[2]))
    last = min(int(found[2]) if found[1] and found[2] else size - 1, size - 1)
    if first > last:
        return
    exchange.status, exchange.body = 206, exchange.body[first : last + 1]
    exchange.headers = changed(exchange.headers, [("Content-Range", f"bytes {first}-{last}/{size}")])
