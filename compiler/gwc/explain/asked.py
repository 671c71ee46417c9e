"""A request as somebody types it, and the route that answers it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from gwc.ir import Gateway
from gwc.model.matching import Matcher, host_name
from gwc.model.paths import canonical
from gwc.routing import MethodRoute, host_tables

_EXAMPLE = 'write it as in "POST /v1/ask" or "GET https://api.example.com/v1/items?page=2"'
_METHOD = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


class AskedError(ValueError):
    """Words that are no request; the message says what would be one."""


@dataclass(frozen=True, slots=True)
class Asked:
    """`host` None: the caller named none. `path` and `query` as they were given."""

    method: str
    host: str | None
    path: str
    query: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """What the gateway does with it. `status` 200 when `route` answers, otherwise 400, 404 or 405 with `allow`.

    `preflight`: a browser's preflight of the same words is answered by a route's `cors`, and not with 405.
    `host` is the one that it was matched on, None for any that no policy names; `path` the canonical one.
    """

    asked: Asked
    host: str | None
    path: str
    status: int
    route: MethodRoute | None
    allow: tuple[str, ...] = ()
    preflight: bool = False

    @property
    def segments(self) -> list[str]:
        return self.path.split("/")[1:]

    @property
    def host_assumed(self) -> bool:
        return self.asked.host is None and self.host is not None


def read_request(text: str, host: str | None) -> Asked:
    """`[METHOD] PATH-or-URL`; GET by default. Raises AskedError."""
    words = text.split()
    if not 1 <= len(words) <= 2:
        raise AskedError(f"{text!r} is no request: {_EXAMPLE}")
    method, target = (words[0], words[1]) if len(words) == 2 else ("GET", words[0])
    if not _METHOD.fullmatch(method):
        raise AskedError(f"{method!r} is no method: {_EXAMPLE}")
    path, query, named = _target(target)
    if host and named and host_name(host) != host_name(named):
        raise AskedError(f"the request names the host {named}, and --host {host}: leave one of them out")
    return Asked(method.upper(), host or named or None, path, query)


def _target(text: str) -> tuple[str, str, str]:
    """Path, query and host; the last is empty for a path alone."""
    if text.startswith("/"):
        path, _, query = text.partition("#")[0].partition("?")
        return path, query, ""
    try:
        parts = urlsplit(text)
        named = parts.netloc.rpartition("@")[2]
    except ValueError as error:
        raise AskedError(f"{text!r} is no URL: {error}") from error
    if parts.scheme not in ("http", "https") or not named:
        raise AskedError(f"{text!r} is neither a path that begins with / nor an http URL: {_EXAMPLE}")
    return parts.path or "/", parts.query, named


def find(gateway: Gateway, asked: Asked) -> Found:
    """Who answers. Without a host the first one is taken on which a route does, or at least knows the path."""
    if asked.host is not None:
        return _on(gateway, asked, host_name(asked.host))
    tried = [_on(gateway, asked, host) for host in _hosts(gateway)]
    return next((one for status in (200, 405) for one in tried if one.status == status), tried[0])


def _hosts(gateway: Gateway) -> Iterator[str | None]:
    """Any host first: a service that answers everywhere needs none."""
    yield None
    yield from (table.host for table in host_tables(gateway) if table.host is not None)


def _on(gateway: Gateway, asked: Asked, host: str | None) -> Found:
    matched = Matcher(gateway).match(asked.method, host or "", asked.path)
    entry = matched.entry if matched.status == 405 else None
    preflight = entry is not None and asked.method == "OPTIONS" and any(one.route.cors for one in entry.routes)
    allow = entry.allow if entry is not None else ()
    return Found(asked, host, matched.path, matched.status, matched.route, allow, preflight)


def elsewhere(gateway: Gateway, found: Found) -> dict[str, MethodRoute]:
    """Other hosts on which the same words reach another route, when no host was named."""
    if found.asked.host is not None or canonical(found.asked.path) is None:
        return {}
    others = [_on(gateway, found.asked, host) for host in _hosts(gateway)]
    mine = _name(found.route)
    return {one.host: one.route for one in others if one.host and one.route and _name(one.route) != mine}


def _name(found: MethodRoute | None) -> tuple[str, str] | None:
    return (found.service.name, found.route.name) if found else None
