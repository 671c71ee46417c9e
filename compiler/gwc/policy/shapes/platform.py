"""Shapes of what the platform writes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from gwc.policy import hosts, texts
from gwc.policy.hosts import HostPort
from gwc.policy.shapes.making import (
    Convert,
    Shape,
    as_text,
    claim,
    count,
    count_or_zero,
    day,
    duration,
    duration_or_zero,
    flag,
    free_header,
    free_text,
    items_of,
    itself,
    known_texts,
    label,
    mapping,
    one_of,
    plain_text,
    refuse,
    route_name,
    share,
    size,
    table,
    url,
)
from gwc.policy.shapes.service import SECTIONS, Sections, environments, file, limits, secret, secret_source


class Https(Shape):
    min_version = "TLSv1.2"
    redirect = False


class Listen(Shape):
    http: Any = None
    https: Any = None
    admin = HostPort("127.0.0.1", 9901)


class GatewaySecret(Shape):
    pass


class Jwks(Shape):
    file = url = None


class Jwt(Shape):
    user = "sub"
    scopes = "scope"
    algorithms = ("RS256", "ES256")
    leeway = 30.0


class Consumer(Shape):
    pass


class ApiKey(Shape):
    header = "X-API-Key"


class Identity(Shape):
    user_header = "X-User-Id"
    gateway_secret = jwt = api_key = None


class RequestId(Shape):
    header = "X-Request-ID"
    accept = "from_trusted_proxies"


class Tracing(Shape):
    sample = 0.1


class Metrics(Shape):
    path = "/metrics"


class AccessLog(Shape):
    format = "json"


class Errors(Shape):
    type = "urn:gwc:problem:"


class RateLimitStore(Shape):
    password = service = None
    on_failure = "deny"


class Target(Shape):
    profile = None
    accept = ()


class Range(Shape):
    min: Any = None
    max: Any = None


class Bounds(Shape):
    """None where the platform sets no bound."""


class Waiver(Shape):
    route = None


def _listen_address(value: Any) -> HostPort:
    if type(value) is int:
        refuse(not 0 < value < 65536)
        return HostPort("0.0.0.0", value)  # noqa: S104 - a bare port means every interface
    return hosts.bound_to_ip(hosts.parse_host_port(as_text(value)))


def _loopback(value: Any) -> HostPort:
    import ipaddress

    at = hosts.parse_host_port(as_text(value))
    at = HostPort("127.0.0.1", at.port) if at.host == "localhost" else at
    refuse(not ipaddress.ip_address(at.host).is_loopback)
    return at


def _check_listen(made: Any) -> None:
    refuse(made.http is None and (made.https is None or made.https.redirect))
    ports = [at.port for at in (made.http, made.https and made.https.port, made.admin) if at is not None]
    refuse(len(set(ports)) < len(ports))


def _check_jwks(made: Any) -> None:
    refuse((made.file is None) == (made.url is None))


def _check_api_key(made: Any) -> None:
    refuse(len({(one.secret.env, one.secret.file) for one in made.consumers}) < len(made.consumers))
    refuse(len({one.name for one in made.consumers}) < len(made.consumers))


def _check_range(made: Any) -> None:
    refuse(made.min is None and made.max is None)
    refuse(made.min is not None and made.max is not None and made.min > made.max)


def _metrics_path(text: str) -> str:
    refuse(not texts.is_metrics_path(texts.PLAIN(text)))
    return text


def _redis(value: Any) -> hosts.Url:
    url = hosts.parse_url(as_text(value), ("redis", "rediss"))
    refuse(url.path.strip("/") and not re.fullmatch("[0-9]{1,5}", url.path.strip("/")))
    return url


def _issuers(value: Any) -> Any:
    return _several_issuers([value] if type(value) is dict else value)


def _range(least: Convert, most: Convert | None = None) -> Convert:
    return mapping(Range, {"min": least, "max": most or least}, check=_check_range)


_jwt = mapping(
    Jwt,
    {
        "issuer": known_texts(texts.URI),
        "audience": items_of(plain_text, 1, key=itself),
        "jwks": mapping(
            Jwks, {"file": known_texts(texts.RELATIVE), "url": url(("http", "https"), path=True)}, check=_check_jwks
        ),
        "user": claim,
        "scopes": claim,
        "algorithms": items_of(one_of("RS256", "RS384", "RS512", "ES256", "ES384"), 1, key=itself),
        "leeway": duration_or_zero,
    },
    "issuer",
    "audience",
    "jwks",
)
_several_issuers = items_of(_jwt, 1, key=lambda jwt: jwt.issuer)
_required = one_of("required")
_RANGES: dict[str, Convert] = {
    "timeouts.connect": _range(duration, duration_or_zero),
    "timeouts.request": _range(duration, duration_or_zero),
    "timeouts.idle": _range(duration, duration_or_zero),
    "retries.attempts": _range(count_or_zero),
    "retries.per_try": _range(duration, duration_or_zero),
    "retries.budget": _range(share),
    "max_body": _range(size),
    "cache.ttl": _range(duration, duration_or_zero),
    "cache.negative_ttl": _range(duration, duration_or_zero),
    "cache.stale.if_error": _range(duration, duration_or_zero),
    "cache.stale.while_revalidate": _range(duration, duration_or_zero),
    "cost": _range(count_or_zero),
    "upstream.concurrency": _range(count),
    "auth": _required,
    "limits.ip": _required,
    "limits.user": _required,
    "limits.service": _required,
    "budget": _required,
    "upstream.breaker": _required,
    "upstream.health": _required,
}
BOUND_NAMES: Iterable[str] = tuple(_RANGES)
"""Every bound as a policy spells it."""
_SHORT = {"upstream.breaker": "breaker", "upstream.health": "health"}


def bound_field(bound: str) -> str:
    """The attribute of a bound: `timeouts.request` is `timeouts_request`."""
    return _SHORT.get(bound) or bound.replace(".", "_")


def _bounds(value: Any) -> Bounds:
    made = Bounds()
    made.__dict__ = {bound_field(bound): None for bound in _RANGES}
    made.__dict__.update({bound_field(bound): _RANGES[bound](said) for bound, said in value.items()})
    return made


_waiver = mapping(
    Waiver,
    {
        "service": label,
        "route": route_name,
        "bound": free_text,
        "reason": free_text,
        "until": day,
    },
    "service",
    "bound",
    "reason",
    "until",
    check=lambda made: refuse(not made.reason),
)


class Platform(Shape):
    description = owner = ""
    trusted_proxies = limits = waivers = ()
    identity, request_id, metrics = Identity(), RequestId(), Metrics()
    access_log, errors, defaults, bounds = AccessLog(), Errors(), Sections(), _bounds({})
    tracing = rate_limit_store = concurrency = None
    targets: Mapping[str, Target] = {}
    environments: Mapping[str, Any] = {}
    listen = mapping(Listen, {"http": _listen_address})({"http": 8080})


PLATFORM: dict[str, Convert] = {
    "apiVersion": one_of("gwc/v1"),
    "kind": one_of("Platform"),
    "description": free_text,
    "owner": free_text,
    "listen": mapping(
        Listen,
        {
            "http": _listen_address,
            "https": mapping(
                Https,
                {
                    "port": _listen_address,
                    "certificate": file,
                    "key": secret,
                    "min_version": one_of("TLSv1.2", "TLSv1.3"),
                    "redirect": flag,
                },
                "port",
                "certificate",
                "key",
            ),
            "admin": _loopback,
        },
        check=_check_listen,
    ),
    "trusted_proxies": items_of(known_texts(hosts.network), key=itself),
    "identity": mapping(
        Identity,
        {
            "user_header": free_header,
            "gateway_secret": mapping(
                GatewaySecret, {"header": free_header, "secret": secret_source}, "header", "secret"
            ),
            "jwt": _issuers,
            "api_key": mapping(
                ApiKey,
                {
                    "header": free_header,
                    "consumers": items_of(
                        mapping(Consumer, {"name": label, "secret": secret_source}, "name", "secret"), 1
                    ),
                },
                "consumers",
                check=_check_api_key,
            ),
        },
    ),
    "request_id": mapping(
        RequestId, {"header": free_header, "accept": one_of("always", "from_trusted_proxies", "never")}
    ),
    "tracing": mapping(Tracing, {"otlp": url(("http", "https"), path=True), "sample": share}, "otlp"),
    "metrics": mapping(Metrics, {"path": known_texts(_metrics_path)}),
    "access_log": mapping(AccessLog, {"format": one_of("json")}),
    "errors": mapping(Errors, {"type": known_texts(texts.URI)}),
    "rate_limit_store": mapping(
        RateLimitStore,
        {
            "redis": _redis,
            "password": secret,
            "service": lambda value: hosts.parse_host_port(as_text(value)),
            "on_failure": one_of("deny", "allow"),
        },
        "redis",
    ),
    "limits": limits,
    "concurrency": count,
    "defaults": mapping(Sections, SECTIONS),
    "bounds": _bounds,
    "waivers": items_of(_waiver),
    "targets": table(label, mapping(Target, {"profile": label, "accept": items_of(plain_text, key=itself)})),
    "environments": environments,
}
