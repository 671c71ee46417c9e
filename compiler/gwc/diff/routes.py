"""What a route's own fields mean for those who ask for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from gwc.diff.change import Difference, Level, Value
from gwc.diff.leaves import At, Differences, appears, members, ordered, plain, several, switch, words
from gwc.diff.limits import limits
from gwc.ir import Auth, Cache, Cors, HeaderChanges, Node, Retries, Route
from gwc.units import format_duration, format_share, format_size

B, T, L, A, N = Level.BREAKING, Level.TIGHTENED, Level.LOOSENED, Level.ADDED, Level.NEUTRAL


def route(old: Route, new: Route) -> Differences:
    """Everything that a route says for itself; its path and methods are what clients ask for, and compared there."""
    for compare in _FIELDS:
        yield from compare(old, new)
    yield from limits(old.limits, new.limits)


def _auth(old: Route, new: Route) -> Differences:
    at = At(old, new, "auth")
    if old.auth is None or new.auth is None:
        yield from _guard(old.auth, new.auth, old, new)
        return
    yield from several("auth.any_of", old.auth.providers, new.auth.providers, at, B, L, "credential")
    yield from several("auth.scopes", old.auth.scopes, new.auth.scopes, at, L, B, "needed scope")


def _guard(old: Auth | None, new: Auth | None, before: Route, after: Route) -> Differences:
    if old is not new:
        was, now = (Value(_auth_text(a), r.provenance["auth"]) for a, r in ((old, before), (new, after)))
        yield Difference(L if new is None else B, "auth", was, now, "now public" if new is None else "now guarded")


def _auth_text(auth: Auth | None) -> str:
    if auth is None:
        return "none"
    scopes = f", scopes: {words(auth.scopes)}" if auth.scopes else ""
    return f"{{any_of: {words(auth.providers)}{scopes}}}"


def _timeouts(old: Route, new: Route) -> Differences:
    for leaf in ("connect", "request", "idle"):
        yield from ordered(f"timeouts.{leaf}", old.timeouts, new.timeouts, leaf, format_duration)


def _retries(old: Route, new: Route) -> Differences:
    before, after = old.retries, new.retries
    yield from ordered("retries.attempts", before, after, "attempts")
    if not (before.attempts and after.attempts):
        return
    at = At(before, after, "causes")
    yield from several("retries.when", _causes(before), _causes(after), at, T, L, "cause")
    yield from ordered("retries.per_try", before, after, "per_try", format_duration)
    yield from ordered("retries.budget", before, after, "budget", format_share)
    yield from switch("retries.unsafe", before, after, "unsafe", L, T)
    yield from plain("retries.backoff.base", before, after, "backoff_base", N, format_duration)
    yield from plain("retries.backoff.max", before, after, "backoff_max", N, format_duration)


def _causes(retries: Retries) -> tuple[object, ...]:
    return (*(cause.value for cause in retries.causes), *retries.statuses)


def _max_body(old: Route, new: Route) -> Differences:
    for found in ordered("max_body", old, new, "max_body", format_size):
        yield replace(found, level=B) if found.level is T else found


def _cost(old: Route, new: Route) -> Differences:
    yield from ordered("cost", old, new, "cost")


def _cors(old: Route, new: Route) -> Differences:
    at = At(old, new, "cors")
    said = old.cors or new.cors
    yield from appears("cors", old.cors, new.cors, at, L, B, f"{{origins: {words(said.origins)}}}" if said else "")
    if old.cors and new.cors:
        yield from _cors_fields(old.cors, new.cors)


def _cors_fields(old: Cors, new: Cors) -> Differences:
    anybody = "*" in new.origins, "*" in old.origins
    yield from members("cors.origins", old, new, "origins", N if anybody[0] else B, N if anybody[1] else L, "origin")
    yield from members("cors.methods", old, new, "methods", B, L, "method")
    yield from members("cors.headers", old, new, "headers", B, L, "header")
    yield from switch("cors.credentials", old, new, "credentials", L, B)
    yield from plain("cors.max_age", old, new, "max_age", N, format_duration)


def _cache(old: Route, new: Route) -> Differences:
    at = At(old, new, "cache")
    said = old.cache or new.cache
    yield from appears("cache", old.cache, new.cache, at, L, T, f"{{ttl: {format_duration(said.ttl)}}}" if said else "")
    if old.cache and new.cache:
        yield from _cache_fields(old.cache, new.cache)


def _cache_fields(old: Cache, new: Cache) -> Differences:
    yield from ordered("cache.ttl", old, new, "ttl", format_duration)
    yield from ordered("cache.stale.if_error", old, new, "stale_if_error", format_duration)
    yield from ordered("cache.stale.while_revalidate", old, new, "stale_while_revalidate", format_duration)
    yield from _negative(old, new)
    yield from members("cache.vary.query", old, new, "vary_query", L, T, "key")
    yield from members("cache.vary.headers", old, new, "vary_headers", L, T, "key")
    if old.per_user != new.per_user:
        was, now = (Value("user" if c.per_user else "public", c.provenance["per_user"]) for c in (old, new))
        yield Difference(T if new.per_user else L, "cache.scope", was, now)


def _negative(old: Cache, new: Cache) -> Differences:
    """None is not to cache at all: the tightest, unlike everywhere else."""
    if None in (old.negative_ttl, new.negative_ttl) and old.negative_ttl != new.negative_ttl:
        there, level = (new, L) if old.negative_ttl is None else (old, T)
        value = Value(format_duration(there.negative_ttl or 0.0), there.provenance["negative_ttl"])
        yield Difference(level, "cache.negative_ttl", value if there is old else None, value if there is new else None)
        return
    yield from ordered("cache.negative_ttl", old, new, "negative_ttl", format_duration)


def _kind(old: Route, new: Route) -> Differences:
    yield from switch("stream", old, new, "stream", L, T)
    yield from switch("websocket", old, new, "websocket", A, B)


def _headers(old: Route, new: Route) -> Differences:
    for side, before, after in (
        ("request", old.headers.request, new.headers.request),
        ("response", old.headers.response, new.headers.response),
    ):
        yield from _header_changes(f"headers.{side}", before, after, old.headers, new.headers, side)


def _header_changes(
    field: str, old: HeaderChanges, new: HeaderChanges, before: Node, after: Node, side: str
) -> Differences:
    at = At(before, after, side)
    for leaf, was, now in (
        ("set", {f"{name}: {value}" for name, value in old.set}, {f"{name}: {value}" for name, value in new.set}),
        ("remove", set(old.remove), set(new.remove)),
    ):
        if was != now:
            lost, won = (words(sorted(one)) for one in (was - now, now - was))
            first = Value(lost, at[0]) if was - now else None
            yield Difference(N, f"{field}.{leaf}", first, Value(won, at[1]) if now - was else None)


_FIELDS: tuple[Callable[[Route, Route], Differences], ...] = (
    _auth, _max_body, _cost, _timeouts, _retries, _cors, _cache, _kind, _headers,
)  # fmt: skip
