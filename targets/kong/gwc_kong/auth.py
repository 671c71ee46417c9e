"""Providers for the plugin: issuers with their public keys, and API keys by reference."""

from __future__ import annotations

import json
from collections.abc import Iterator

from gwc.ir import Auth, Consumer, Gateway, JwtProvider, Secret
from gwc_kong.secrets import vault_reference
from gwc_kong.sharing import at

_PUBLIC = {"RSA": ("kty", "n", "e"), "EC": ("kty", "crv", "x", "y")}
"""The members of a JSON Web Key that make its public part (RFC 7518, section 6), by type."""


def providers_config(gateway: Gateway) -> Iterator[tuple[str, object]]:
    identity = gateway.identity
    if identity.jwt:
        yield "jwt", [_issuer(provider) for provider in identity.jwt]
    if identity.api_key is not None:
        keys = identity.api_key
        yield "api_key_header", at(keys, "header", keys.header.lower())
        yield "consumers", [_consumer(consumer) for consumer in keys.consumers]


def auth_config(auth: Auth) -> dict[str, object]:
    """What one route asks for."""
    return {
        "providers": at(auth, "providers", list(auth.providers)),
        "scopes": at(auth, "scopes", list(auth.scopes)),
    }


def _issuer(provider: JwtProvider) -> dict[str, object]:
    return {
        "name": provider.name,
        "issuer": at(provider, "issuer", provider.issuer),
        "audiences": at(provider, "audiences", list(provider.audiences)),
        "algorithms": at(provider, "algorithms", list(provider.algorithms)),
        "user": at(provider, "user_claim", provider.user_claim),
        "scopes": at(provider, "scope_claim", provider.scope_claim),
        "leeway": at(provider, "leeway", provider.leeway),
        "keys": at(provider, "jwks", list(_keys(provider.jwks))),
    }


def _keys(jwks: str | None) -> Iterator[dict[str, object]]:
    """Only the keys that verify signatures, and of them only what is public."""
    for key in json.loads(jwks)["keys"] if jwks is not None else []:
        members = _PUBLIC.get(key.get("kty"))
        if members is None or key.get("use", "sig") != "sig" or not all(name in key for name in members):
            continue
        public = {name: key[name] for name in members}
        told = {name: key[name] for name in ("kid", "alg", "crv") if name in key}
        yield {"jwk": json.dumps(public, sort_keys=True), "kty": key["kty"], **told}


def _consumer(consumer: Consumer) -> dict[str, object]:
    reference = vault_reference(consumer.secret, key_variable(consumer))
    return {"name": consumer.name, "key": at(consumer, "secret", reference)}


def key_variable(consumer: Consumer) -> str:
    """The environment variable of a key that the policy keeps in a file."""
    return f"GWC_KEY_{consumer.name.upper().replace('-', '_')}"


def secrets(gateway: Gateway) -> Iterator[tuple[str, Secret]]:
    """Every API key with its variable."""
    if gateway.identity.api_key is not None:
        for consumer in gateway.identity.api_key.consumers:
            yield key_variable(consumer), consumer.secret
