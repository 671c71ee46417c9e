"""Credentials as data for the njs module. Keys are public; secrets are named, never held."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from gwc.ir import ApiKeys, Gateway, JwtProvider, Route, Secret
from gwc_nginx.conf import Directive, block, d


def data(gateway: Gateway) -> dict[str, Any]:
    """A provider whose keys would have to be fetched is left out: its tokens open nothing."""
    identity = gateway.identity
    return {
        "jwt": [_provider(provider, provider.jwks) for provider in identity.jwt if provider.jwks is not None],
        "apiKey": _api_key(identity.api_key) if identity.api_key is not None else None,
    }


def examination(gateway: Gateway) -> Iterator[Directive]:
    """Whether consumers share a key is looked at when the gateway starts, and once a day."""
    if gateway.identity.api_key is not None:
        yield block("location", "@gwc_keys", of=(d("js_periodic", "auth.examine", "interval=24h"),))


def environment(gateway: Gateway) -> list[str]:
    """The variables that secrets are in. NGINX drops all others."""
    identity = gateway.identity
    secrets = [identity.gateway_secret.secret] if identity.gateway_secret is not None else []
    secrets += [consumer.secret for consumer in identity.api_key.consumers] if identity.api_key is not None else []
    return sorted({secret.name for secret in secrets if secret.source == "env"})


def of_route(route: Route) -> dict[str, str]:
    if route.auth is None:
        return {}
    # An empty text would mean that anybody may.
    scopes = {"scopes": " ".join(route.auth.scopes)} if route.auth.scopes else {}
    return {"auth": " ".join(route.auth.providers) or "-", **scopes}


def reference(secret: Secret) -> dict[str, str]:
    return {secret.source: secret.name}


def _provider(provider: JwtProvider, jwks: str) -> dict[str, Any]:
    return {
        "name": provider.name,
        "issuer": provider.issuer,
        "audiences": list(provider.audiences),
        "keys": json.loads(jwks)["keys"],
        "userClaim": provider.user_claim,
        "scopeClaim": provider.scope_claim,
        "algorithms": " ".join(provider.algorithms),
        "leeway": provider.leeway,
    }


def _api_key(keys: ApiKeys) -> dict[str, Any]:
    consumers = [{"name": consumer.name, "secret": reference(consumer.secret)} for consumer in keys.consumers]
    return {"header": keys.header, "consumers": consumers}
