"""`proxy_cache` and what belongs to it -> the cache of a route."""

from __future__ import annotations

from gwc.imports.draft import Table
from gwc.imports.findings import Findings
from gwc.imports.nginx.scope import Scope, seconds
from gwc.imports.nginx.syntax import Directive
from gwc.imports.values import duration

_KEPT = 600.0
"""Seconds for which NGINX keeps an answer that nobody asks for, where `inactive` does not say."""
_FAILURES = frozenset({"error", "timeout", "http_500", "http_502", "http_503", "http_504"})


def add_cache(route: Table, scope: Scope, findings: Findings) -> None:
    found = scope.one("proxy_cache")
    valid = scope.every("proxy_cache_valid")
    stale = scope.one("proxy_cache_use_stale")
    paths = scope.every("proxy_cache_path")
    if found is None or found.first == "off":
        return
    ttl = _lifetime(valid, ("200", "any"))
    if ttl is None:
        hint = "write cache: {ttl: 5m}: the language has one lifetime, whatever the service says"
        findings.left_out(found.span, "a cache whose lifetimes are the service's", hint)
        return
    route.put("cache.ttl", duration(ttl[0])[0], ttl[1].span)
    negative = _lifetime(valid, ("404", "301", "any"))
    if negative is not None:
        route.put("cache.negative_ttl", duration(negative[0])[0], negative[1].span)
    key = scope.one("proxy_cache_key")
    what = "the whole query keyed the cache; in a policy only the parameters that it lists reach the service"
    hint = "list them: cache: {vary: {query: [page]}}"
    findings.approximate((key or found).span, what, hint)
    _stale(route, stale, scope, _inactive(found.first, paths), findings)


def _lifetime(valid: list[Directive], statuses: tuple[str, ...]) -> tuple[float, Directive] | None:
    for status in statuses:
        for one in valid:
            named = one.words[:-1] or ["200", "301", "302"]
            if status in named and (time := seconds(one.words[-1])):
                return time, one
    return None


def _inactive(zone: str, paths: list[Directive]) -> float:
    for one in paths:
        if any(word.startswith(f"keys_zone={zone}:") for word in one.words):
            words = [word.partition("=")[2] for word in one.words if word.startswith("inactive=")]
            return seconds(words[0]) or _KEPT if words else _KEPT
    return _KEPT


def _stale(route: Table, stale: Directive | None, scope: Scope, kept: float, findings: Findings) -> None:
    renewing = scope.on("proxy_cache_background_update")
    if stale is None or stale.first == "off":
        return
    if _FAILURES & set(stale.words):
        route.put("cache.stale.if_error", duration(kept)[0], stale.span)
    if "updating" in stale.words and renewing:
        route.put("cache.stale.while_revalidate", duration(kept)[0], stale.span)
    others = [word for word in stale.words if word not in _FAILURES | {"updating", "invalid_header"}]
    if others:
        findings.left_out(stale.span, f"old answers for {', '.join(others)[:60]}", "a stale answer is for failures")
