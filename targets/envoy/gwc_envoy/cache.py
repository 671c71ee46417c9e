"""The cache of answers: three scripts over one block of memory that all workers share.

Envoy's own cache filters know neither bounds nor stale answers, take their lifetimes from the service and keep
cookies, so none of them is used. What they cannot do needs no more than to look, to keep and to answer, which a script
does; `cache_store.lua` holds the memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from hashlib import sha256

from gwc.derived import per_gateway
from gwc.ir import Cache, Gateway, Route, Service
from gwc_envoy import actions, errors, headers, hops, identity, profiles, request_id, retries
from gwc_envoy.rows import Rows, runs
from gwc_envoy.upstream import threshold
from gwc_envoy.xds import Json, extension, lua, lua_list, lua_set, lua_text, script, typed

FILTER, RENEWAL, WAIT = "gwc.cache", "gwc.cache.renewal", "gwc.cache.wait"
GONE, PURGE = "gwc.cache.gone", "gwc.cache.purge"
MEMORY = 64 * 2**20
"""Bytes of all that is kept; the oldest and least used goes first."""
LARGEST = 2**20
"""Bytes of the largest body that is kept."""

_GENERATIONS = 2**16
"""As many as `cache_store.lua` counts."""
_RENEWAL_HEADER = "x-gwc-renewal"
_STAGE = 9
"""A stage of limits that no route has any of."""
PURGE_PATH = "/cache/purge"


def cached(gateway: Gateway) -> Iterator[tuple[Service, Route, Cache]]:
    return ((s, r, r.cache) for s in gateway.services for r in s.routes if r.cache is not None)


@per_gateway
def used(gateway: Gateway) -> bool:
    return any(True for _ in cached(gateway))


def metadata(service: Service, route: Route) -> Json:
    return {} if route.cache is None else {FILTER: {"route": f"{service.name}/{route.name}"}}


def cache_filter(gateway: Gateway) -> Json | None:
    return _script(gateway, FILTER, "cache.lua") if used(gateway) else None


def gone_filter(gateway: Gateway) -> Json | None:
    """Tells of requests that ended without a word to those who wait for them: a script never learns of that.

    Envoy's client of a rate limit service asks its question when a request has ended, in whichever way.
    """
    if not used(gateway):
        return None
    flight = {"key": FILTER, "path": [{"key": "flight"}]}
    told = {"metadata": {"descriptor_key": "flight", "metadata_key": flight, "source": "DYNAMIC"}}
    return extension(
        GONE,
        "extensions.filters.http.ratelimit.v3.RateLimit",
        domain="gwc",
        stage=_STAGE,
        stat_prefix=GONE,
        timeout="1s",
        failure_mode_deny=False,
        rate_limits=[{"actions": [told], "apply_on_stream_done": True}],
        rate_limit_service={
            "transport_api_version": "V3",
            "grpc_service": {"envoy_grpc": {"cluster_name": GONE}, "timeout": "1s"},
        },
    )


def purge_filter(gateway: Gateway) -> Json | None:
    return _script(gateway, PURGE, "cache_purge.lua") if used(gateway) else None


def purge_routes(gateway: Gateway) -> list[Json]:
    """The filter answers before this does; a route is needed for it to be asked."""
    found = {"match": {"prefix": f"{PURGE_PATH}/"}, "direct_response": {"status": 404}}
    return [found] if used(gateway) else []


def _script(gateway: Gateway, name: str, file: str) -> Json:
    return lua(name, file, {**_parts(gateway), "@PATH@": PURGE_PATH})


def _parts(gateway: Gateway) -> dict[str, str]:
    """What the scripts share, by the words that stand for it there."""
    keep = script("cache_keep.lua", {"@LARGEST@": str(LARGEST), "@REQUEST_ID@": gateway.request_id.header.lower()})
    return {
        "--@STORE@": _module("store", script("cache_store.lua", {"@RING@": str(MEMORY)})),
        "--@KEEP@": _module("keep", keep),
        "--@ROUTES@": "\n".join(("local ROUTES = {}", *_lines(gateway))),
        "--@OURS@": f"local OURS = {lua_set(_own_headers(gateway))}",
    }


def _module(name: str, text: str) -> str:
    return f"local {name} = (function()\n{text}end)()"


def _own_headers(gateway: Gateway) -> tuple[str, ...]:
    """What the gateway itself has written by then."""
    own = (gateway.request_id.header.lower(), gateway.identity.user_header.lower())
    forwarded = ("x-forwarded-for", "x-forwarded-host", "x-forwarded-proto")
    return tuple(dict.fromkeys(("x-request-id", *own, *identity.CORRELATION, *forwarded)))


def _lines(gateway: Gateway) -> Iterator[str]:
    """What is kept outlives the configuration in a process that gets another one: numbers then stay with the routes."""
    lasting = profiles.replaced_while_running(gateway)
    for number, found in enumerate(cached(gateway)):
        yield _line(_lasting(*found) if lasting else number, *found)


def _lasting(service: Service, route: Route, cache: Cache) -> int:
    """What is kept under it is not found again when anything changes that an answer follows from. Its remainder, by
    which purges are counted, follows from the name alone: a setting that comes back brings nothing purged with it."""
    settings = repr(
        (_line(0, service, route, cache), service.strip, route.headers.request.set, route.headers.request.remove)
    )
    return _hash(settings, 4) * _GENERATIONS + _hash(f"{service.name}/{route.name}", 2)


def _hash(text: str, size: int) -> int:
    return int.from_bytes(sha256(text.encode()).digest()[:size])


def _line(number: int, service: Service, route: Route, cache: Cache) -> str:
    name = lua_text(f"{service.name}/{route.name}")
    lifetimes = cache.ttl, cache.negative_ttl, cache.stale_if_error, cache.stale_while_revalidate
    listed = cache.per_user, cache.vary_query, cache.vary_headers
    written = tuple([name.lower() for name, _ in route.headers.response.set])
    settings = _settings(route.timeouts.request, *lifetimes, *listed, written)
    return f"ROUTES[{name}] = {{name = {name}, number = {number}, {settings}}}"


@lru_cache(maxsize=512)
def _settings(
    request: float,
    ttl: float,
    negative_ttl: float | None,
    if_error: float,
    revalidate: float,
    per_user: bool,
    query: tuple[str, ...],
    headers: tuple[str, ...],
    written: tuple[str, ...],
) -> str:
    fields = {
        "ttl": _seconds(ttl),
        "negative_ttl": "nil" if negative_ttl is None else _seconds(negative_ttl),
        "if_error": _seconds(if_error),
        "revalidate": _seconds(revalidate),
        "request": _seconds(request),
        "per_user": str(per_user).lower(),
        "query": lua_list(query),
        "asked": lua_set(query),
        "headers": lua_list(headers),
        "listed": lua_set(headers),
        "written": lua_set(written),
    }
    return ", ".join(f"{key} = {value}" for key, value in fields.items())


def _seconds(value: float) -> str:
    return f"{value:.6f}".rstrip("0").rstrip(".")


def listeners(gateway: Gateway) -> Iterator[Json]:
    """Where answers are renewed, and where requests wait."""
    if used(gateway):
        yield hops.internal_listener(RENEWAL, _renewal_manager(gateway))
        yield hops.internal_listener(WAIT, _wait_manager(gateway))
        yield hops.internal_listener(GONE, _gone_manager(gateway))


def clusters(gateway: Gateway) -> Iterator[Json]:
    if used(gateway):
        for name in (RENEWAL, WAIT):
            yield hops.internal_cluster(name, name, threshold(None, None))
        yield {**hops.internal_cluster(GONE, GONE, threshold(None, None)), **_HTTP2}


def _renewal_manager(gateway: Gateway) -> Json:
    secret = identity.gateway_secret_filter(gateway)
    keeps = _script(gateway, RENEWAL, "cache_renewal.lua")
    filters = [request_id.instance_filter(), keeps, *([secret] if secret else [])]
    routes = Rows(
        RENEWAL,
        lambda: runs((service for service, _ in _renewed(gateway)), renewal_routes),
        lambda: renewal_routes(gateway),
    )
    host = {"name": RENEWAL, "domains": ["*"], "routes": routes if any(_renewed(gateway)) else []}
    manager = hops.connection_manager(RENEWAL, errors.local_reply(gateway), filters, host)
    manager["typed_config"]["route_config"]["request_headers_to_remove"] = [
        *headers.request_headers_to_remove(gateway),
        _RENEWAL_HEADER,
        "x-gwc-key",
        "x-envoy-expected-rq-timeout-ms",
    ]
    return manager


def _renewed(gateway: Gateway) -> Iterator[tuple[Service, Route]]:
    return ((service, route) for service, route, _ in cached(gateway) if "GET" in route.methods)


def renewal_routes(gateway: Gateway) -> Iterator[Json]:
    return (_renewal_route(gateway, service, route) for service, route in _renewed(gateway))


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
    return hops.connection_manager(WAIT, errors.local_reply(gateway), [fault], _answering(WAIT))


def _gone_manager(gateway: Gateway) -> Json:
    told = _script(gateway, GONE, "cache_gone.lua")
    return hops.connection_manager(GONE, errors.local_reply(gateway), [told], _answering(GONE))


def _answering(name: str) -> Json:
    after = {"name": name, "match": {"prefix": "/"}, "direct_response": {"status": 204}}
    return {"name": name, "domains": ["*"], "routes": [after]}


_HTTP2: Json = {
    "typed_extension_protocol_options": {
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": typed(
            "extensions.upstreams.http.v3.HttpProtocolOptions", explicit_http_config={"http2_protocol_options": {}}
        )
    }
}
