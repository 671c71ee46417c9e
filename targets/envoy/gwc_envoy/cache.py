"""The cache of answers: three scripts over one block of memory that all workers share.

Envoy's own cache filters know neither bounds nor stale answers, take their lifetimes from the service and keep
cookies, so none of them is used. What they cannot do needs no more than to look, to keep and to answer, which a script
does; `cache_store.lua` holds the memory.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files

from gwc.ir import Cache, Gateway, Route, Service
from gwc_envoy import actions, errors, headers, hops, identity, request_id, retries
from gwc_envoy.upstream import threshold
from gwc_envoy.xds import Json, extension, lua

FILTER, RENEWAL, WAIT, PURGE = "gwc.cache", "gwc.cache.renewal", "gwc.cache.wait", "gwc.cache.purge"
MEMORY = 64 * 2**20
"""Bytes of all that is kept; the oldest and least used goes first."""
LARGEST = 2**20
"""Bytes of the largest body that is kept."""

_RENEWAL_HEADER = "x-gwc-renewal"
_PATIENCE = 5.0
"""Seconds that requests wait for another one's answer, at most."""
PURGE_PATH = "/cache/purge"


def cached(gateway: Gateway) -> list[tuple[Service, Route, Cache]]:
    return [(s, r, r.cache) for s in gateway.services for r in s.routes if r.cache is not None]


def metadata(service: Service, route: Route) -> Json:
    return {} if route.cache is None else {FILTER: {"route": f"{service.name}/{route.name}"}}


def cache_filter(gateway: Gateway) -> Json | None:
    return _script(gateway, FILTER, "cache.lua") if cached(gateway) else None


def purge_filter(gateway: Gateway) -> Json | None:
    return _script(gateway, PURGE, "cache_purge.lua") if cached(gateway) else None


def purge_routes(gateway: Gateway) -> list[Json]:
    """The filter answers before this does; a route is needed for it to be asked."""
    found = {"match": {"path": PURGE_PATH}, "direct_response": {"status": 404}}
    return [found] if cached(gateway) else []


def _script(gateway: Gateway, name: str, script: str) -> Json:
    """The headers that it changes decide on no route: the one that was checked stays."""
    built = lua(name, script, {"--@SHARED@": _shared(gateway), "@PATH@": PURGE_PATH})
    built["typed_config"]["clear_route_cache"] = False
    return built


def _shared(gateway: Gateway) -> str:
    """What all of the scripts begin with: the memory, what may be kept, and the routes."""
    keep = _read("cache_keep.lua", {"@LARGEST@": str(LARGEST), "@REQUEST_ID@": gateway.request_id.header.lower()})
    store = _read("cache_store.lua", {"@RING@": str(MEMORY)})
    routes = "\n".join(_line(number, *found) for number, found in enumerate(cached(gateway)))
    own = "".join(f"[{_quoted(name)}] = true, " for name in _own_headers(gateway))
    known = (f"local OURS = {{{own}}}", f"local ROUTES = {{}}\n{routes}")
    return "\n".join((_module("store", store), _module("keep", keep), *known))


def _module(name: str, text: str) -> str:
    return f"local {name} = (function()\n{text}end)()"


def _read(script: str, settings: dict[str, str]) -> str:
    text = files("gwc_envoy").joinpath(script).read_text(encoding="utf-8")
    for placeholder, value in settings.items():
        text = text.replace(placeholder, value)
    return text


def _own_headers(gateway: Gateway) -> tuple[str, ...]:
    """What the gateway itself has written by then."""
    own = (gateway.request_id.header.lower(), gateway.identity.user_header.lower())
    forwarded = ("x-forwarded-for", "x-forwarded-host", "x-forwarded-proto")
    return tuple(dict.fromkeys(("x-request-id", *own, *identity.CORRELATION, *forwarded)))


def _line(number: int, service: Service, route: Route, cache: Cache) -> str:
    name = f"{service.name}/{route.name}"
    fields = {
        "name": _quoted(name),
        "number": str(number),
        "ttl": _seconds(cache.ttl),
        "negative_ttl": "nil" if cache.negative_ttl is None else _seconds(cache.negative_ttl),
        "if_error": _seconds(cache.stale_if_error),
        "revalidate": _seconds(cache.stale_while_revalidate),
        "patience": _seconds(min(route.timeouts.request, _PATIENCE)),
        "request": _seconds(route.timeouts.request),
        "per_user": str(cache.per_user).lower(),
        "query": _list(cache.vary_query),
        "asked": _set(cache.vary_query),
        "headers": _list(cache.vary_headers),
        "listed": _set(cache.vary_headers),
    }
    return f"ROUTES[{_quoted(name)}] = {{" + ", ".join(f"{key} = {value}" for key, value in fields.items()) + "}"


def _seconds(value: float) -> str:
    return f"{value:.6f}".rstrip("0").rstrip(".")


def _list(names: tuple[str, ...]) -> str:
    return "{" + ", ".join(_quoted(name) for name in names) + "}"


def _set(names: tuple[str, ...]) -> str:
    return "{" + ", ".join(f"[{_quoted(name)}] = true" for name in names) + "}"


def _quoted(text: str) -> str:
    """A Lua string: names are of letters, digits and a few signs that JSON and Lua write alike."""
    return json.dumps(text)


def listeners(gateway: Gateway) -> Iterator[Json]:
    """Where answers are renewed, and where requests wait."""
    if cached(gateway):
        yield hops.internal_listener(RENEWAL, _renewal_manager(gateway))
        yield hops.internal_listener(WAIT, _wait_manager(gateway))


def clusters(gateway: Gateway) -> Iterator[Json]:
    if cached(gateway):
        for name in (RENEWAL, WAIT):
            yield hops.internal_cluster(name, name, threshold(None, None))


def _renewal_manager(gateway: Gateway) -> Json:
    secret = identity.gateway_secret_filter(gateway)
    keeps = _script(gateway, RENEWAL, "cache_renewal.lua")
    filters = [request_id.instance_filter(), keeps, *([secret] if secret else [])]
    routes = [_renewal_route(gateway, s, r) for s, r, _ in cached(gateway) if "GET" in r.methods]
    manager = hops.connection_manager(
        RENEWAL, errors.local_reply(gateway), filters, {"name": RENEWAL, "domains": ["*"], "routes": routes}
    )
    manager["typed_config"]["route_config"]["request_headers_to_remove"] = [
        *headers.request_headers_to_remove(gateway),
        _RENEWAL_HEADER,
        "x-gwc-key",
        "x-envoy-expected-rq-timeout-ms",
    ]
    return manager


def _renewal_route(gateway: Gateway, service: Service, route: Route) -> Json:
    methods = next(group for group in retries.method_groups(route) if "GET" in group)
    chain = actions.chain(gateway, service, route, methods)
    name = f"{service.name}/{route.name}"
    return {
        "name": name,
        "match": {"prefix": "/", "headers": [{"name": _RENEWAL_HEADER, "string_match": {"exact": name}}]},
        "metadata": {"filter_metadata": {RENEWAL: {"route": name}}},
        "route": chain.own,
        **headers.route_fields(service, route, actions.key_header(chain)),
    }


def _wait_manager(gateway: Gateway) -> Json:
    """Answers after as many milliseconds as it is told: a script has no clock of its own."""
    told = {"header_delay": {}, "percentage": {"numerator": 100, "denominator": "HUNDRED"}}
    fault = extension("gwc.cache.pause", "extensions.filters.http.fault.v3.HTTPFault", delay=told)
    after = {"name": "after", "match": {"prefix": "/"}, "direct_response": {"status": 204}}
    host = {"name": WAIT, "domains": ["*"], "routes": [after]}
    return hops.connection_manager(WAIT, errors.local_reply(gateway), [fault], host)
