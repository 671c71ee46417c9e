"""The edge cache of a route, for the plugin."""

from __future__ import annotations

from collections.abc import Iterator

from gwc.ir import Address, Cache, Gateway, Route, Service
from gwc_kong.sharing import At, at

DICTIONARY = "gwc_cache 64m"
"""All answers of a gateway; the least used go first. One answer is at most 1 MiB, a constant of the plugin."""


def cached_routes(gateway: Gateway) -> Iterator[tuple[Service, Route]]:
    for service in gateway.services:
        yield from ((service, route) for route in service.routes if route.cache is not None)


def cache_config(cache: Cache) -> At:
    config: dict[str, object] = {
        "ttl": at(cache, "ttl", cache.ttl),
        "query": at(cache, "vary_query", list(cache.vary_query)),
        "headers": at(cache, "vary_headers", list(cache.vary_headers)),
        "if_error": at(cache, "stale_if_error", cache.stale_if_error),
        "while_revalidate": at(cache, "stale_while_revalidate", cache.stale_while_revalidate),
        "per_user": at(cache, "per_user", cache.per_user),
    }
    if cache.negative_ttl is not None:
        config["negative_ttl"] = at(cache, "negative_ttl", cache.negative_ttl)
    return at(cache, "ttl", config)


def loopback_config(gateway: Gateway) -> Iterator[tuple[str, object]]:
    """Where the gateway reaches its own listeners, to renew answers in the background."""
    caches = (route.cache for _, route in cached_routes(gateway))
    if any(cache is not None and cache.stale_while_revalidate for cache in caches):
        listen = gateway.listen
        addresses = {"http": listen.http, "https": listen.https.address if listen.https is not None else None}
        yield "loopback", {scheme: _reachable(found) for scheme, found in addresses.items() if found is not None}


_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where to connect when the listener has every address


def _reachable(address: Address) -> dict[str, object]:
    host = _ANY.get(address.host, address.host)
    return {"host": f"[{host}]" if ":" in host else host, "port": address.port}
