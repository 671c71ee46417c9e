"""What the service receives of a request: the path less its prefix, and the headers that may arrive."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote

from gwc.ir import Cache, Gateway, Route, Service
from gwc.model.matching import host_name
from gwc.model.wire import Asked, Headers, changed, hops, values

_PRIVATE = re.compile(r"x-(envoy|consumer|credential|accel|kong|gwc)-.*|x-anonymous-consumer|kong-debug")
_FORWARDED = (
    *("x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port", "x-forwarded-prefix"),
    *("x-real-ip", "forwarded"),
)


class Forwarding:
    """`secrets` are the values of environment variables and files that the policy names."""

    def __init__(self, gateway: Gateway, secrets: Mapping[str, str]) -> None:
        identity = gateway.identity
        own = [identity.user_header, gateway.request_id.header, "traceparent", "tracestate", *_FORWARDED]
        own += [identity.api_key.header] if identity.api_key else []
        self._proof: Headers = ()
        if identity.gateway_secret is not None:
            own.append(identity.gateway_secret.header)
            value = secrets.get(identity.gateway_secret.secret.name, "secret")
            self._proof = ((identity.gateway_secret.header, value),)
        self._own = {_alike(name) for name in own}
        self._user_header = identity.user_header

    def headers(self, asked: Asked, route: Route, user: str, made: Headers) -> Headers:
        """`made` are those that the gateway makes for this request: ids, and how it came."""
        changes, gone = route.headers.request, hops(asked.headers)
        kept = [pair for pair in asked.headers if not self._stays(pair[0], gone)]
        if cached(asked, route):
            assert route.cache is not None
            kept = [pair for pair in kept if pair[0].lower() in route.cache.vary_headers]
        host = host_name(asked.host) if cached(asked, route) else asked.host
        who = ((self._user_header, user),) if user else ()
        return changed(kept, (("Host", host), *made, *changes.set, *who, *self._proof), changes.remove)

    def _stays(self, name: str, gone: frozenset[str]) -> bool:
        lower = name.lower()
        return lower in gone or lower == "host" or _alike(name) in self._own or bool(_PRIVATE.fullmatch(lower))


def forwarded(service: Service, path: str) -> str:
    """The canonical path as the service gets it."""
    return path.removeprefix(service.strip) or "/"


def target(asked: Asked, service: Service, route: Route, path: str) -> str:
    """`path` is the canonical one."""
    query = asked.query
    if cached(asked, route):
        assert route.cache is not None
        query = _listed(query, route.cache)
    return forwarded(service, path) + (f"?{query}" if query or (asked.target.endswith("?") and not route.cache) else "")


def cached(asked: Asked, route: Route) -> bool:
    return route.cache is not None and asked.method in ("GET", "HEAD")


def _listed(query: str, cache: Cache) -> str:
    """The listed parameters, sorted by name; those of one name in their order."""
    pairs = [(unquote(part.partition("=")[0]), part) for part in query.split("&") if part]
    return "&".join(part for name, part in sorted(pairs, key=lambda pair: pair[0]) if name in cache.vary_query)


def _alike(name: str) -> str:
    """Services read `_` and `-` alike."""
    return name.lower().replace("_", "-").strip("-")


def combined(headers: Headers) -> dict[str, str]:
    """By lower-case name, values that repeat joined."""
    return {name.lower(): ", ".join(values(headers, name)) for name, _ in headers}
