"""What a service's fields mean for the clients of all its routes."""

from __future__ import annotations

from gwc.diff.change import Difference, Level, Value
from gwc.diff.leaves import At, Differences, appears, ordered, plain, words
from gwc.diff.limits import budget, limits
from gwc.ir import Endpoint, Service, Upstream, UpstreamTls
from gwc.units import format_duration

T, L, N = Level.TIGHTENED, Level.LOOSENED, Level.NEUTRAL


def service(old: Service, new: Service) -> Differences:
    """Its hosts and base path are part of what clients ask for, and compared there."""
    yield from plain("owner", old, new, "owner", N)
    yield from plain("description", old, new, "description", N)
    yield from limits(old.limits, new.limits)
    yield from budget(old, new)
    yield from _upstream(old.upstream, new.upstream)
    if (old.strip == old.base_path) != (new.strip == new.base_path):
        was, now = (Value("false" if s.strip else "true", s.provenance["strip"]) for s in (old, new))
        yield Difference(N, "keep_base_path", was, now)


def _upstream(old: Upstream, new: Upstream) -> Differences:
    yield from _endpoints(old, new)
    yield from ordered("upstream.concurrency", old, new, "concurrency")
    yield from _breaker(old, new)
    yield from _health(old, new)
    yield from _tls(old, new)


def _endpoints(old: Upstream, new: Upstream) -> Differences:
    was, now = (words(_text(endpoint) for endpoint in upstream.endpoints) for upstream in (old, new))
    if was != now:
        opened = old.endpoints[0].scheme == "https" and new.endpoints[0].scheme == "http"
        before, after = Value(was, old.provenance["endpoints"]), Value(now, new.provenance["endpoints"])
        yield Difference(L if opened else N, "upstream.endpoints", before, after)


def _text(endpoint: Endpoint) -> str:
    url = f"{endpoint.scheme}://{endpoint.address}"
    return url if endpoint.weight == 100 else f"{{url: {url}, weight: {endpoint.weight}}}"


def _breaker(old: Upstream, new: Upstream) -> Differences:
    at = At(old, new, "breaker")
    said = old.breaker or new.breaker
    text = f"{{failures: {said.failures}, open: {format_duration(said.open)}}}" if said else ""
    yield from appears("upstream.breaker", old.breaker, new.breaker, at, T, L, text)
    if old.breaker and new.breaker:
        yield from ordered("upstream.breaker.failures", old.breaker, new.breaker, "failures")
        yield from ordered("upstream.breaker.open", old.breaker, new.breaker, "open", format_duration)


def _health(old: Upstream, new: Upstream) -> Differences:
    at = At(old, new, "health")
    said = old.health or new.health
    text = f"{{path: {said.path}, every: {format_duration(said.every)}}}" if said else ""
    yield from appears("upstream.health", old.health, new.health, at, T, L, text)
    if old.health and new.health:
        yield from plain("upstream.health.path", old.health, new.health, "path", N)
        yield from plain("upstream.health.every", old.health, new.health, "every", N, format_duration)


def _tls(old: Upstream, new: Upstream) -> Differences:
    at = At(old, new, "tls")
    was, now = (_tls_text(upstream.tls) for upstream in (old, new))
    if was != now:
        yield Difference(N, "upstream.tls", Value(was, at[0]) if was else None, Value(now, at[1]) if now else None)


def _tls_text(tls: UpstreamTls | None) -> str:
    if tls is None:
        return ""
    key = tls.client_key and f"{tls.client_key.source}: {tls.client_key.name}"
    said = {"ca": tls.ca, "sni": tls.sni, "client_certificate": tls.client_certificate, "client_key": key}
    return f"{{{', '.join(f'{name}: {value}' for name, value in said.items() if value is not None)}}}"
