"""Credentials: tokens are verified by Envoy's own filter, keys and scopes by a small script behind it.

A route names what it accepts in its metadata; the script refuses whatever forwards without such a word.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from gwc.derived import per_gateway
from gwc.ir import Consumer, Gateway, JwtProvider, Route
from gwc_envoy.shared import Shared, shared
from gwc_envoy.xds import Json, extension, lua, lua_text, typed

JWT_FILTER, FILTER = "gwc.jwt", "gwc.auth"
USER_HEADER = "x-gwc-user"
"""The verified user with the provider that vouches for it: what limits are counted by. Never forwarded."""

TOKEN_HEADER = "x-gwc-token"  # noqa: S105 - where the token waits
_REQUIRED, _OPTIONAL = "required", "optional"
_FETCH_TIMEOUT, _CACHED_KEYS = "5s", "300s"
_PER_ROUTE = "extensions.filters.http.jwt_authn.v3.PerRouteConfig"

UNASKED: Json = {JWT_FILTER: Shared(typed(_PER_ROUTE, disabled=True))}


def used(gateway: Gateway, provider: str) -> bool:
    """Whether any route accepts credentials of `provider` ("jwt" or "api_key")."""
    return provider in _accepting(gateway)


@per_gateway
def _accepting(gateway: Gateway) -> frozenset[str]:
    """All that any route accepts."""
    found = {r.auth.providers for s in gateway.services for r in s.routes if r.auth is not None}
    return frozenset(name for providers in found for name in providers)


def requirement(route: Route) -> str | None:
    """What the route demands of a token; None where it looks at none."""
    if route.auth is None or "jwt" not in route.auth.providers:
        return None
    return _REQUIRED if route.auth.providers == ("jwt",) else _OPTIONAL


def per_route(requirement: str | None) -> Json:
    return {} if requirement is None else {JWT_FILTER: typed(_PER_ROUTE, requirement_name=requirement)}


def unasked(gateway: Gateway) -> Json:
    """For answers that need no token: refusals say 404 or 405 to everybody."""
    return UNASKED if used(gateway, "jwt") else {}


def metadata(route: Route, period: int | None) -> Json:
    """What the script reads. A public route says so: silence is refused. `period` is that of the route's budget."""
    if route.auth is None:
        return {FILTER: _PUBLIC}
    return {FILTER: _accepted(route.auth.providers, route.auth.scopes, period)}


_PUBLIC = Shared({"accepts": "none"})


@shared
def _accepted(providers: tuple[str, ...], scopes: tuple[str, ...], period: int | None) -> Json:
    clock = {} if period is None else {"period": period}
    return {"accepts": " ".join(providers), "scopes": " ".join(scopes), **clock}


def token_filter(gateway: Gateway) -> Json | None:
    return lua("gwc.token", "token.lua") if used(gateway, "jwt") else None


def jwt_filter(gateway: Gateway) -> Json | None:
    """A route that has no word of its own would have to show a token: nothing is open by omission."""
    if not used(gateway, "jwt"):
        return None
    anyone = [{"provider_name": provider.name} for provider in gateway.identity.jwt]
    optional = {"requires_any": {"requirements": [*anyone, {"allow_missing_or_failed": {}}]}}
    required = {"requires_any": {"requirements": anyone}} if len(anyone) > 1 else anyone[0]
    return extension(
        JWT_FILTER,
        "extensions.filters.http.jwt_authn.v3.JwtAuthentication",
        providers={provider.name: _provider(provider) for provider in gateway.identity.jwt},
        requirement_map={_REQUIRED: required, _OPTIONAL: optional},
        rules=[{"match": {"prefix": "/"}, "requires": required}],
        bypass_cors_preflight=True,
    )


def _provider(provider: JwtProvider) -> Json:
    """Only what `token_filter` has found counts; Envoy would also read a query parameter. Whose services the token is
    for is judged by the script: where a key is enough, too, the filter forgets why a token was none."""
    return {
        "issuer": provider.issuer,
        "from_headers": [{"name": TOKEN_HEADER}],
        "require_expiration": True,
        "clock_skew_seconds": max(int(provider.leeway), 1),
        "payload_in_metadata": f"payload:{provider.name}",
        "header_in_metadata": f"header:{provider.name}",
        "jwt_cache_config": {"jwt_cache_size": 500},
        **_keys(provider),
    }


def _keys(provider: JwtProvider) -> Json:
    if provider.jwks is not None:
        return {"local_jwks": {"inline_string": provider.jwks}}
    uri = {"uri": provider.jwks_url, "cluster": jwks_cluster(provider), "timeout": _FETCH_TIMEOUT}
    return {"remote_jwks": {"http_uri": uri, "cache_duration": _CACHED_KEYS, "async_fetch": {}}}


def jwks_cluster(provider: JwtProvider) -> str:
    return f"gwc.jwks/{provider.name}"


def fetched(gateway: Gateway) -> list[tuple[str, str, str, int]]:
    """Cluster, scheme, host and port of every key set that comes from a URL."""
    if not used(gateway, "jwt"):
        return []
    found = []
    for provider in gateway.identity.jwt:
        if provider.jwks_url is not None:
            url = urlsplit(provider.jwks_url)
            port = url.port or {"http": 80, "https": 443}[url.scheme]
            found.append((jwks_cluster(provider), url.scheme, url.hostname or "", port))
    return found


def script_filter(gateway: Gateway) -> Json:
    return lua(FILTER, "auth.lua", {"--@SETTINGS@": _settings(gateway)})


def _settings(gateway: Gateway) -> str:
    keys = gateway.identity.api_key if used(gateway, "api_key") else None
    lines = [
        f"local USER_HEADER = {lua_text(gateway.identity.user_header.lower())}",
        f"local KEY_HEADER = {lua_text(keys.header.lower()) if keys else 'nil'}",
        "local CONSUMERS = {" + ", ".join(_consumer(c) for c in (keys.consumers if keys else ())) + "}",
        "local PROVIDERS = {" + ", ".join(_claims(provider) for provider in gateway.identity.jwt) + "}",
    ]
    return "\n".join(lines)


def _consumer(consumer: Consumer) -> str:
    secret = consumer.secret
    return f"{{name = {lua_text(consumer.name)}, {secret.source} = {lua_text(secret.name)}}}"


def _claims(provider: JwtProvider) -> str:
    algorithms = ", ".join(f"{name} = true" for name in provider.algorithms)
    fields = {"name": provider.name, "user": provider.user_claim, "scopes": provider.scope_claim}
    texts = ", ".join(f"{name} = {lua_text(value)}" for name, value in fields.items())
    audiences = ", ".join(f"[{lua_text(name)}] = true" for name in provider.audiences)
    return f"{{{texts}, algorithms = {{{algorithms}}}, audiences = {{{audiences}}}}}"
