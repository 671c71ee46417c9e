"""What the platform's policy says of the gateway itself, of its bounds, and of who is excused from them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from gwc.diagnostics import Span
from gwc.document import Document
from gwc.ir import Gateway, JwtProvider, Node, Origin, Secret
from gwc.page.effective import Value, limit_key, limit_text, listed
from gwc.policy.shapes.platform import BOUND_NAMES
from gwc.units import format_duration, format_share

if TYPE_CHECKING:
    from gwc.policy import PlatformPolicy

SOON = 60
"""Days before its end from which on a waiver is marked."""


@dataclass(frozen=True, slots=True)
class Bound:
    """`text` is `at most 120s` or `required`."""

    name: str
    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class Waiver:
    """`days` are those that are left of it."""

    service: str
    route: str
    bound: str
    reason: str
    until: date
    days: int
    span: Span

    @property
    def soon(self) -> bool:
        return self.days <= SOON


def facts(gateway: Gateway) -> Iterator[Value]:
    """The gateway's own settings, in groups."""
    yield from _listening(gateway)
    yield from _identity(gateway)
    yield from _shared(gateway)
    yield from _watching(gateway)


def bounds(document: Document) -> Iterator[Bound]:
    """Those that the platform's policy sets, as it writes them."""
    written = document.data().get("bounds", {})
    assert isinstance(written, dict)
    for name in BOUND_NAMES:
        if name in written:
            yield Bound(name, _bound(written[name]), document.place(("bounds", name)))


def _bound(rule: object) -> str:
    if not isinstance(rule, dict):
        return str(rule)
    return listed(f"{words} {rule[end]}" for end, words in (("min", "at least"), ("max", "at most")) if end in rule)


def waivers(policy: PlatformPolicy, document: Document, now: date) -> Iterator[Waiver]:
    """The next to end first."""
    found = enumerate(policy.waivers)
    for index, waiver in sorted(found, key=lambda pair: (pair[1].until, pair[1].service, pair[1].route or "")):
        span = document.place(("waivers", index, "service"))
        days = (waiver.until - now).days
        yield Waiver(waiver.service, waiver.route or "", waiver.bound, waiver.reason, waiver.until, days, span)


def _put(group: str, field: str, text: str, node: Node, leaf: str) -> Value:
    return Value(group, field, text, node.provenance[leaf])


def _listening(gateway: Gateway) -> Iterator[Value]:
    listen, group = gateway.listen, "Listening"
    if listen.http is not None:
        yield _put(group, "listen.http", str(listen.http), listen, "http")
    if listen.https is not None:
        https = listen.https
        redirect = "http is redirected" if https.redirect else ""
        text = listed((https.address, f"{https.min_version} and later", redirect))
        yield _put(group, "listen.https", text, listen, "https")
    yield _put(group, "listen.admin", str(listen.admin), listen, "admin")
    proxies = listed(gateway.trusted_proxies) or "none: no X-Forwarded-For is believed"
    yield _put(group, "trusted_proxies", proxies, gateway, "trusted_proxies")


def _identity(gateway: Gateway) -> Iterator[Value]:
    identity, group = gateway.identity, "Identity"
    yield _put(group, "identity.user_header", identity.user_header, identity, "user_header")
    if identity.gateway_secret is not None:
        secret = identity.gateway_secret
        text = f"{secret.header}, from {_reference(secret.secret)}"
        yield _put(group, "identity.gateway_secret", text, identity, "gateway_secret")
    for provider in identity.jwt:
        yield _put(group, "identity.jwt", _issuer(provider), provider, "issuer")
    if identity.api_key is not None:
        keys = identity.api_key
        text = f"{keys.header}; {listed(consumer.name for consumer in keys.consumers)}"
        yield _put(group, "identity.api_key", text, identity, "api_key")


def _issuer(provider: JwtProvider) -> str:
    keys = f"keys from {provider.jwks_url}" if provider.jwks_url else "keys inlined"
    audiences = f"for {listed(provider.audiences)}"
    return f"{provider.issuer} {audiences}; {listed(provider.algorithms)}; {keys}"


def _reference(secret: Secret) -> str:
    return f"the environment's {secret.name}" if secret.source == "env" else secret.name


def _shared(gateway: Gateway) -> Iterator[Value]:
    group = "Shared by all services"
    for limit in gateway.limits:
        yield _put(group, f"limit {limit_key(limit)}", limit_text(limit), limit, "rate")
    if gateway.concurrency is not None:
        yield _put(group, "concurrency", f"{gateway.concurrency} in flight", gateway, "concurrency")
    if gateway.rate_limit_store is not None:
        store = gateway.rate_limit_store
        failing = "refuses when it is down" if store.on_failure == "deny" else "admits when it is down"
        yield _put(group, "rate_limit_store", f"redis at {store.redis}; {failing}", store, "redis")


def _watching(gateway: Gateway) -> Iterator[Value]:
    group, tracing, ids = "Watching", gateway.tracing, gateway.request_id
    accepted = ids.accept.value.replace("_", " ")
    yield _put(group, "request_id", f"{ids.header}, a client's own is kept: {accepted}", ids, "header")
    yield _put(group, "metrics", f"{gateway.metrics_path} on the admin listener", gateway, "metrics_path")
    if tracing is not None:
        yield _put(group, "tracing", f"{tracing.otlp}, {format_share(tracing.sample)} of requests", tracing, "otlp")
    yield _put(group, "errors", gateway.error_type_base, gateway, "error_type_base")


def place(origin: Origin | Span) -> str:
    """`assistant.yaml:14`: the same in every checkout."""
    from gwc.source import policy_name

    span = origin if isinstance(origin, Span) else origin.span
    return f"{policy_name(span.file)}:{span.line}"


def ahead(days: int) -> str:
    """How long a waiver still holds."""
    return "today is its last day" if days == 0 else format_duration(days * 86400.0).replace("d", " days")
