"""What the platform's own fields mean for every client."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

from gwc.diff.change import Difference, Level, Value
from gwc.diff.leaves import At, Differences, appears, members, ordered, plain, several, switch
from gwc.diff.limits import limits
from gwc.ir import Address, Gateway, Https, JwtProvider, RateLimitStore, Secret, TargetOptions
from gwc.units import format_duration, format_share

B, T, L, A, N = Level.BREAKING, Level.TIGHTENED, Level.LOOSENED, Level.ADDED, Level.NEUTRAL


def platform(old: Gateway, new: Gateway) -> Differences:
    yield from _listen(old, new)
    yield from members("trusted_proxies", old, new, "trusted_proxies", T, L, "network")
    yield from _identity(old, new)
    yield from plain("request_id.header", old.request_id, new.request_id, "header", N)
    yield from plain("request_id.accept", old.request_id, new.request_id, "accept", N)
    yield from _tracing(old, new)
    yield from plain("metrics.path", old, new, "metrics_path", N)
    yield from plain("errors.type", old, new, "error_type_base", N)
    yield from _store(old, new)
    yield from limits(old.limits, new.limits)
    yield from (
        replace(found, field="concurrency") for found in ordered("platform.concurrency", old, new, "concurrency")
    )
    yield from _targets(old.targets, new.targets)


def _listen(old: Gateway, new: Gateway) -> Differences:
    before, after = old.listen, new.listen
    at = At(before, after, "http")
    yield from _address("listen.http", before.http, after.http, at)
    yield from plain("listen.admin", before, after, "admin", N)
    secure = At(before, after, "https")
    yield from _address("listen.https", _at(before.https), _at(after.https), secure)
    if before.https and after.https:
        yield from _https(before.https, after.https)


def _at(https: Https | None) -> Address | None:
    return https.address if https else None


def _address(field: str, old: Address | None, new: Address | None, at: At) -> Differences:
    """A listener that moved is one taken away and another added."""
    if old != new:
        was, now = (Value(str(address), o) if address else None for address, o in zip((old, new), at, strict=True))
        yield Difference(B if old else A, field, was, now)


def _https(old: Https, new: Https) -> Differences:
    if old.min_version != new.min_version:
        was, now = (Value(https.min_version, https.provenance["min_version"]) for https in (old, new))
        yield Difference(B if new.min_version > old.min_version else L, "listen.https.min_version", was, now)
    yield from switch("listen.https.redirect", old, new, "redirect", B, L)
    yield from plain("listen.https.certificate", old, new, "certificate", N)
    yield from plain("listen.https.key", old, new, "key", N, _secret)


def _secret(secret: Secret) -> str:
    return f"{{{secret.source}: {secret.name}}}"


def _identity(old: Gateway, new: Gateway) -> Differences:
    before, after = old.identity, new.identity
    yield from plain("identity.user_header", before, after, "user_header", N)
    at = At(before, after, "gateway_secret")
    said = [f"{s.header}, {_secret(s.secret)}" if s else "" for s in (before.gateway_secret, after.gateway_secret)]
    if said[0] != said[1]:
        was, now = (Value(text, origin) if text else None for text, origin in zip(said, at, strict=True))
        yield Difference(N, "identity.gateway_secret", was, now)
    yield from _jwt(old, new)
    yield from _api_key(old, new)


def _jwt(old: Gateway, new: Gateway) -> Differences:
    before, after = ({p.issuer: p for p in gateway.identity.jwt} for gateway in (old, new))
    at = At(old.identity, new.identity, "jwt")
    yield from several("identity.jwt", before, after, at, B, L, "issuer")
    for issuer in sorted(before.keys() & after.keys()):
        yield from _issuer(before[issuer], after[issuer])


def _issuer(old: JwtProvider, new: JwtProvider) -> Differences:
    yield from members("identity.jwt.audience", old, new, "audiences", B, L, "audience")
    yield from members("identity.jwt.algorithms", old, new, "algorithms", B, L, "algorithm")
    at = At(old, new, "jwks")
    yield from several("identity.jwt.jwks", _keys(old), _keys(new), at, B, L, "key")
    yield from plain("identity.jwt.jwks.url", old, new, "jwks_url", N)
    yield from plain("identity.jwt.user", old, new, "user_claim", B)
    yield from plain("identity.jwt.scopes", old, new, "scope_claim", B)
    if old.leeway != new.leeway:
        was, now = (Value(format_duration(p.leeway), p.provenance["leeway"]) for p in (old, new))
        yield Difference(T if new.leeway < old.leeway else L, "identity.jwt.leeway", was, now)


def _keys(provider: JwtProvider) -> tuple[str, ...]:
    """The key ids of an inlined set, or a digest of the key where it has none."""
    keys = json.loads(provider.jwks)["keys"] if provider.jwks else []
    return tuple(str(key.get("kid") or key.get("n") or key.get("x"))[:24] for key in keys)


def _api_key(old: Gateway, new: Gateway) -> Differences:
    before, after = old.identity.api_key, new.identity.api_key
    at = At(old.identity, new.identity, "api_key")
    said = before or after
    yield from appears("identity.api_key", before, after, at, L, B, f"{{header: {said.header}}}" if said else "")
    if before and after:
        if before.header.lower() != after.header.lower():
            yield from plain("identity.api_key.header", before, after, "header", B)
        names = [{consumer.name for consumer in keys.consumers} for keys in (before, after)]
        yield from several("identity.api_key.consumers", names[0], names[1], at, B, L, "consumer")
        moved = {c.name: _secret(c.secret) for c in before.consumers}
        for consumer in after.consumers:
            if moved.get(consumer.name, _secret(consumer.secret)) != _secret(consumer.secret):
                was = Value(f"{consumer.name}: {moved[consumer.name]}", at[0])
                now = Value(f"{consumer.name}: {_secret(consumer.secret)}", consumer.provenance["secret"])
                yield Difference(N, "identity.api_key.consumers", was, now)


def _tracing(old: Gateway, new: Gateway) -> Differences:
    at = At(old, new, "tracing")
    said = old.tracing or new.tracing
    yield from appears("tracing", old.tracing, new.tracing, at, N, N, said.otlp if said else "")
    if old.tracing and new.tracing:
        yield from plain("tracing.otlp", old.tracing, new.tracing, "otlp", N)
        yield from plain("tracing.sample", old.tracing, new.tracing, "sample", N, format_share)


def _store(old: Gateway, new: Gateway) -> Differences:
    before, after = old.rate_limit_store, new.rate_limit_store
    at = At(old, new, "rate_limit_store")
    was, now = (_store_text(store) for store in (before, after))
    if was != now:
        before_, after_ = (Value(text, origin) if text else None for text, origin in zip((was, now), at, strict=True))
        yield Difference(N, "rate_limit_store", before_, after_)
    if before and after and before.on_failure != after.on_failure:
        level = T if after.on_failure == "deny" else L
        yield from plain("rate_limit_store.on_failure", before, after, "on_failure", level)


def _store_text(store: RateLimitStore | None) -> str:
    if store is None:
        return ""
    scheme = "rediss" if store.redis_tls else "redis"
    password = f", password: {_secret(store.password)}" if store.password else ""
    return f"{scheme}://{store.redis}/{store.redis_database}{password}, service: {store.service or 'none'}"


def _targets(old: Mapping[str, TargetOptions], new: Mapping[str, TargetOptions]) -> Differences:
    for name in sorted(old.keys() & new.keys()):
        yield from plain(f"targets.{name}.profile", old[name], new[name], "profile", N)
        yield from members(f"targets.{name}.accept", old[name], new[name], "accept", N, N, "feature")
