"""The edge cache. NGINX stores the answers (proxy_cache); njs/cache.js says what keys one, and judges its age.

On a cached route a request goes from the location that has the store to the inner hop only when the service has to be
asked. There the budget is charged and the caps count, so that what the store answers costs nothing; the tries follow in
the next hop, as for any other route.

- `cache`: answers from the store, or asks; one of several that miss asks for all.
- `stale`: the hop's word that the service failed while an older answer may stand in; `again`: that somebody else's
  request has brought the answer into the store.
- `renew`: an old answer is served while the hop fetches a new one into the store by itself.
- `asked`: the hop's way to the tries.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator

from gwc.derived import per_gateway
from gwc.ir import Cache, Gateway, HeaderChanges, Route, Service
from gwc_nginx import body, concurrency, headers, timeouts
from gwc_nginx.conf import Directive, block, d
from gwc_nginx.doors import Door
from gwc_nginx.headers import Base
from gwc_nginx.quoting import q
from gwc_nginx.request_id import variable_of
from gwc_nginx.sharing import routes
from gwc_nginx.values import remembered

STORE = "gwc_answers"
MAX_SIZE = "64m"
KEYS = "64m"
"""Room for half a million keys, far more than files: NGINX's manager comes by every ten seconds at worst, and a request
that finds no room for its key fails."""

MAX_ANSWER = 1 << 20
"""Bytes of a body, at most; a larger answer passes and is not kept."""

ZONES = (
    # Names and ages of answers, of one length each; when it is full, the answer goes that is of use for the least time.
    "gwc_cached:16m timeout=366d evict",
    # What is being asked for or renewed, and what became of it.
    "gwc_cache_marks:4m timeout=1h evict type=number",
)
_GRACE = 60
"""Seconds that NGINX keeps an answer beyond the last moment at which the njs module may use it."""

_SLOT = 256
"""Bytes of a generation in its zone."""

VARIABLES = (
    *("gwc_cache", "gwc_cache_key", "gwc_cache_kept", "gwc_cache_since", "gwc_cache_size"),
    *(
        "gwc_cache_unfit",
        "gwc_cache_flight",
        "gwc_cache_payer",
        "gwc_errand",
        "gwc_stale_errand",
        "gwc_stale_key",
        "gwc_renewal",
    ),
    "gwc_payer",
)
"""`$gwc_cache` is what X-Cache says, empty where there is no cache or nothing asked it."""

_IGNORED = (*headers.ACCEL, "Cache-Control", "Expires", "Set-Cookie", "Vary")
"""All of it is judged in njs."""

_ERRAND = "X-Gwc-Errand"
_STATUSES = ("200", "301", "404")
_STORED = (
    d("proxy_cache", STORE),
    d("proxy_cache_key", "$gwc_cache_key"),
    d("proxy_no_cache", "$gwc_cache_unfit"),
    d("if_modified_since", "before"),
    d("proxy_ignore_headers", *_IGNORED),
    d("proxy_hide_header", "X-Cache"),
)


@per_gateway
def cached(gateway: Gateway) -> tuple[Cache, ...]:
    return tuple(route.cache for _, _, route in routes(gateway) if route.cache is not None)


def zones(gateway: Gateway) -> tuple[str, ...]:
    """Generations of routes have a zone of their own: only those of routes that are no more may be pushed out."""
    if not cached(gateway):
        return ()
    size = 64 + -(-len(cached(gateway)) * _SLOT // 1024)
    return (*ZONES, f"gwc_purged:{size}k timeout=366d evict type=number")


def of_njs(gateway: Gateway) -> Iterator[Directive]:
    found = cached(gateway)
    if found:
        yield store(found)
        # Only an outer bound, the same for all: which statuses of a route are kept, and for how long, njs decides.
        yield d("proxy_cache_valid", *_STATUSES, _longest(found))


def store(found: tuple[Cache, ...]) -> Directive:
    """Where answers are kept: files below the prefix that nobody but the workers may read."""
    bounds = (f"max_size={MAX_SIZE}", f"inactive={_longest(found)}", "use_temp_path=off", "manager_files=1000")
    return d("proxy_cache_path", "cache", "levels=1:2", f"keys_zone={STORE}:{KEYS}", *bounds)


def _longest(found: tuple[Cache, ...]) -> str:
    return f"{max(_life(cache) for cache in found)}s"


def names(gateway: Gateway) -> dict[str, bool]:
    """The routes that can be purged."""
    return {f":{name}": True for name, _, route in routes(gateway) if route.cache is not None}


def _life(cache: Cache) -> int:
    """Seconds for which anything may be served from an answer, fresh or stale."""
    life = cache.ttl + max(cache.stale_if_error, cache.stale_while_revalidate)
    return math.ceil(max(life, cache.negative_ttl or 0.0)) + _GRACE


def data(route: Route) -> dict[str, object] | None:
    """What cache.js needs to know of a route; times in milliseconds."""
    cache = route.cache
    if cache is None:
        return None
    return {
        "policy": policy(route),
        "ttl": _ms(cache.ttl),
        "negative": 0 if cache.negative_ttl is None else _ms(cache.negative_ttl),
        "ifError": _ms(cache.stale_if_error),
        "whileRevalidate": _ms(cache.stale_while_revalidate),
        "query": "&".join(cache.vary_query),
        "headers": " ".join(variable_of(name)[1:] for name in cache.vary_headers),
        "user": cache.per_user,
        "largest": MAX_ANSWER,
        "request": _ms(route.timeouts.request),
    }


def policy(route: Route) -> str:
    """Part of the key: what was kept under another policy, by another clock or another choice of headers, is not served
    under this one. Answers outlive a reload."""
    assert route.cache is not None
    one, changes = route.cache, route.headers.request
    clocks = (one.ttl, one.negative_ttl, one.stale_if_error, one.stale_while_revalidate)
    meaning = (clocks, one.vary_query, one.vary_headers, one.per_user, changes.set, changes.remove)
    return hashlib.sha256(json.dumps(meaning).encode()).hexdigest()[:16]


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def outer(platform: Gateway, _: Service, route: Route) -> Iterator[Door]:
    """On the public listener."""
    if route.cache is None:
        return
    origin = (route.cache, "ttl")
    yield Door("cache", (
        d("js_header_filter", "cache.headers"),
        d("js_body_filter", "cache.body", "buffer_type=buffer"),
        *_STORED,
        *_asking(platform, route, "$gwc_errand"),
        _to_hop("miss"),
    ), origin)  # fmt: skip
    if route.cache.stale_while_revalidate:
        yield Door("renew", (*_asking(platform, route, "$gwc_renewal"), _to_hop("renew")), origin)


def outer_doors() -> tuple[Directive, ...]:
    return (
        block("location", "/_gwc/stale/", of=(
            d("internal"),
            d("set", "$gwc_cache_key", "$gwc_stale_key"),
            d("set", "$gwc_cache_kept", "STALE"),
            d("set", "$gwc_errand", "$gwc_stale_errand"),
            d("rewrite", q("^/_gwc/stale/(.*)"), q("/_gwc/cache/$1"), "last"),
        )),
        block("location", "=", "/_gwc/again", of=(d("internal"), d("js_content", "cache.again"))),
    )  # fmt: skip


def inner(platform: Gateway, service: Service, route: Route) -> Iterator[Door]:
    """On the inner hop."""
    if route.cache is None:
        return
    origin = (route.cache, "ttl")
    yield Door("asked", (
        *concurrency.caps(platform, service),
        d("error_page", "503", "@gwc_capped"),
        d("js_header_filter", "misses.asked"),
        *body.flow(route),
        *timeouts.to_retries(route, watch=False),
        *_handed_on(("X-Gwc-Hop", "$gwc_hop")),
        # What the tries say of themselves stays in; a service's word of a cache does not.
        d("proxy_hide_header", "X-Cache"),
        d("proxy_pass", "http://gwc_hop/_gwc/hop/$gwc_settings/$gwc_route$gwc_uri"),
    ), origin)  # fmt: skip
    if route.cache.stale_while_revalidate:
        yield Door("renewal", (
            d("js_header_filter", "misses.renewed"),
            *_STORED,
            *timeouts.within(),
            *_handed_on(("X-Gwc-Hop", "$gwc_hop"), (_ERRAND, "$gwc_errand")),
            _to_hop("miss"),
        ), origin)  # fmt: skip


def inner_doors() -> tuple[Directive, ...]:
    return (
        block("location", "/_gwc/miss/", of=(d("js_content", "misses.miss"),)),
        # The connection is of no use to others before the renewal is over.
        block("location", "/_gwc/renew/", of=(d("keepalive_timeout", "0"), d("js_content", "misses.renew"))),
        block("location", "@gwc_capped", of=(d("js_content", "misses.capped"),)),
        block("location", "/cache/purge/", of=(d("js_content", "misses.purge"),)),
    )


def _asking(platform: Gateway, route: Route, errand: str) -> tuple[Directive, ...]:
    """Of the client's request the service gets what keys the answer, and nothing else: no other header, no body."""
    assert route.cache is not None
    changes = route.headers.request
    return (
        *timeouts.client(route),
        *timeouts.within(),
        *body.limit(route),
        d("proxy_pass_request_headers", "off"),
        d("proxy_pass_request_body", "off"),
        *_keyed(headers.of_njs(platform), route.cache.vary_headers, changes.set, changes.remove, errand),
    )


@remembered
def _keyed(
    base: Base, vary: tuple[str, ...], written: tuple[tuple[str, str], ...], removed: tuple[str, ...], errand: str
) -> tuple[Directive, ...]:
    listed = {name: (name, q(variable_of(name))) for name in vary}
    changed = headers.changed(base.headers, HeaderChanges(set=written, remove=removed))
    said = {**listed, **changed, _ERRAND.lower(): (_ERRAND, q(errand))}
    wanted = {key: pair for key, pair in said.items() if pair[1] != q("") or key == "connection"}
    return headers.directives({**wanted, "content-length": ("Content-Length", q(""))})


@remembered
def _handed_on(*own: tuple[str, str]) -> tuple[Directive, ...]:
    silent = {name.lower(): (name, q("")) for name in ("X-Gwc-Hop", _ERRAND, "Connection")}
    said = {name.lower(): (name, q(value)) for name, value in (("Host", "$http_host"), *own)}
    return headers.directives({**silent, **said})


@remembered
def _to_hop(door: str) -> Directive:
    return d("proxy_pass", f"http://gwc_hop/_gwc/{door}/$gwc_settings/$gwc_route$gwc_uri")
