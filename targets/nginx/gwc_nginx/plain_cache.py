"""The edge cache without njs: maps say what keys an answer and what may not be kept, NGINX counts its age in seconds.

The outer hop has the store, the inner one looks at the service's answer and tells it what is unfit.
"""

from __future__ import annotations

from collections.abc import Iterator

from gwc.derived import per_gateway
from gwc.ir import Cache, Gateway, HeaderChanges, Route
from gwc_nginx import cache, headers
from gwc_nginx.conf import Directive, block, d
from gwc_nginx.headers import Base, Expressions
from gwc_nginx.quoting import milliseconds, q, regex
from gwc_nginx.request_id import variable_of
from gwc_nginx.sharing import routes
from gwc_nginx.values import remembered, values

_UNFIT = "X-Gwc-Unfit"
_IGNORED = (*headers.ACCEL, "Cache-Control", "Expires")
"""NGINX itself keeps no answer with Set-Cookie and sees every line of Vary, which no variable of 1.22 does."""

_MOMENTARY = (
    *("traceparent", "tracestate", "RateLimit", "RateLimit-Policy", "Proxy-Authenticate", "Proxy-Connection"),
    *("Keep-Alive", "Trailer", "Upgrade", "TE"),
)
"""Of one exchange alone: a kept answer does not say it again."""

_TOO_LONG = (
    *("[0-9]{8,}", "[2-9][0-9]{6}", "1[1-9][0-9]{5}", "10[5-9][0-9]{4}", "1049[0-9]{3}", "1048[6-9][0-9]{2}"),
    *("10485[89][0-9]", "104857[7-9]"),
)
"""Numbers beyond a MiB."""

TOLD = d("add_header", "X-Cache", "$gwc_cache", "always")


def served(route: Route) -> bool:
    """A route with credentials opens to nobody here, so it has no answers either."""
    return route.cache is not None and route.auth is None


@per_gateway
def caches(gateway: Gateway) -> tuple[Cache, ...]:
    """The different ones."""
    found = (route.cache for _, _, route in routes(gateway) if served(route))
    return tuple({values(one): one for one in found if one is not None}.values())


def maps(gateway: Gateway) -> Iterator[Directive]:
    found = caches(gateway)
    if not found:
        return
    yield cache.store(found)
    yield block("map", q("$gwc_store:$upstream_cache_status"), "$gwc_cache", of=(
        d("volatile"), d("default", q("")), d("~^past:", "BYPASS"), d("~^kept:HIT$", "HIT"), d("~^kept:", "MISS"),
    ))  # fmt: skip
    yield block("map", q("$gwc_trusted:$http_x_forwarded_host"), "$gwc_keyed_host", of=(
        d("default", "$host"), d(q(r"~^1:(?<gwc_keyed>[A-Za-z0-9.:_\[\]-]+)\z"), "$gwc_keyed"),
    ))  # fmt: skip
    yield from _judgement()
    names = sorted({name for one in found for name in one.vary_query})
    for number, name in enumerate(names):
        pattern = rf"~(?:^|&)(?<gwc_listed>{regex(name)}(?:=[^&]*)?)(?:&|\z)"
        yield block("map", "$args", f"$gwc_parameter_{number}", of=(
            d("default", q("")), d(q(pattern), q("$gwc_listed&")),
        ))  # fmt: skip
    for query, variable in queries(gateway).items():
        every = "".join(f"$gwc_parameter_{names.index(name)}" for name in query)
        yield block("map", q(every), variable, of=(
            d("default", q("")), d(q(r"~^(?<gwc_joined>.+)&\z"), "$gwc_joined"),
        ))  # fmt: skip


def _judgement() -> Iterator[Directive]:
    """`$gwc_unfit` of a service's answer. All lines of Cache-Control are in `$sent_http_cache_control` alone."""
    words = r"~*(?:^|[^a-z0-9_-])(?:no-store|private)(?:$|[^a-z0-9_-])"
    parts = (
        ("$sent_http_cache_control", "$gwc_unfit_control", words),
        ("$upstream_http_vary", "$gwc_unfit_vary", r"~(?:^|,)\s*\*\s*(?:,|$)"),
        ("$upstream_http_content_range", "$gwc_unfit_range", "~."),
        ("$upstream_http_content_length", "$gwc_unfit_length", rf"~^(?:{'|'.join(_TOO_LONG)})\z"),
    )
    for source, variable, pattern in parts:
        yield block("map", source, variable, of=(d("default", q("")), d(q(pattern), "1")))
    every = "".join(variable for _, variable, _ in parts)
    yield block("map", q(every), "$gwc_unfit", of=(d("default", "1"), d(q(""), q(""))))


@per_gateway
def queries(gateway: Gateway) -> dict[tuple[str, ...], str]:
    """The variable with what a request has of the listed parameters, for each list that there is."""
    found = sorted({one.vary_query for one in caches(gateway) if one.vary_query})
    return {names: f"$gwc_query_{number}" for number, names in enumerate(found)}


def store(route: Route) -> tuple[Directive, ...]:
    """Of the outer hop's location."""
    assert route.cache is not None
    one = route.cache
    patience = milliseconds(route.timeouts.request)
    negative = () if one.negative_ttl is None else (d("proxy_cache_valid", "301", "404", _seconds(one.negative_ttl)),)
    return (
        d("set", "$gwc_store", "kept"),
        d("proxy_cache", cache.STORE),
        d("proxy_cache_key", _key(route)),
        d("proxy_cache_valid", "200", _seconds(one.ttl)),
        *negative,
        d("proxy_cache_lock", "on"),
        d("proxy_cache_lock_timeout", patience),
        d("proxy_cache_lock_age", patience),
        d("proxy_no_cache", variable_of(_UNFIT).replace("$http", "$upstream_http")),
        d("if_modified_since", "before"),
        d("proxy_ignore_headers", *_IGNORED),
        *(d("proxy_hide_header", name) for name in (_UNFIT, *_MOMENTARY)),
        d("proxy_pass_request_headers", "off"),
        d("proxy_pass_request_body", "off"),
    )


def _seconds(seconds: float) -> str:
    """NGINX serves an answer until the second in which its time ends is over: rounded down, that is one too many."""
    return f"{max(1, int(seconds))}s"


def _key(route: Route) -> str:
    """One part a line, the decoded path last: the others cannot hold a line's end. The first line names the route."""
    assert route.cache is not None
    parts = ("$gwc_route", cache.policy(route), "$host", "$gwc_keyed_host", "$gwc_forwarded_proto", "$args")
    return '"' + r"\n".join((*parts, *(variable_of(name) for name in route.cache.vary_headers), "$gwc_path")) + '"'


def asking(platform: Gateway, route: Route, query: str) -> tuple[Directive, ...]:
    """Of the client's request the service gets what keys the answer, and nothing else: no other header, no body."""
    assert route.cache is not None
    changes = route.headers.request
    base = headers.of_plain(platform)
    return (d("set", "$args", query), *_keyed(base, route.cache.vary_headers, changes.set, changes.remove))


@remembered
def _keyed(
    base: Base, vary: tuple[str, ...], written: tuple[tuple[str, str], ...], removed: tuple[str, ...]
) -> tuple[Directive, ...]:
    keyed: Expressions = {
        "host": ("Host", q("$host")),
        "x-forwarded-host": ("X-Forwarded-Host", q("$gwc_keyed_host")),
        "content-length": ("Content-Length", q("")),
    }
    listed = {name: (name, q(variable_of(name))) for name in vary}
    changed = headers.changed(base.headers, HeaderChanges(set=written, remove=removed))
    said = {**listed, **changed, **keyed}
    wanted = {key: pair for key, pair in said.items() if pair[1] != q("") or key in ("connection", "content-length")}
    return headers.directives(wanted)


def judged(route: Route) -> tuple[Directive, ...]:
    """Of the inner hop's location: a service's own word of that name is hidden there."""
    return (d("add_header", _UNFIT, "$gwc_unfit", "always"),) if served(route) else ()


def past(route: Route) -> tuple[Directive, ...]:
    """Of a request that the store has no part in."""
    return (d("set", "$gwc_store", "past"), *hidden()) if served(route) else ()


def hidden() -> tuple[Directive, ...]:
    """A service's own word of a cache."""
    return (d("proxy_hide_header", "X-Cache"),)


def told(gateway: Gateway) -> tuple[Directive, ...]:
    """On every answer; empty, and so not sent, where nothing asked the store."""
    return (TOLD,) if caches(gateway) else ()


def place(route: Route, method: str, name: str) -> str:
    return f"/_gwc/{'cache' if served(route) and method in ('GET', 'HEAD') else 'route'}/{name}"
