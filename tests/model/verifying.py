"""What credentials prove, told from what a request carries: tokens are really verified, by a library for it."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import jwt

from conformance.scenario import DUMMIES
from conformance.tokens import key_set
from gwc.ir import Gateway, JwtProvider
from gwc.model.wire import Credential, Headers, values

NOBODY = frozenset(int(DUMMIES[name]) for name in ("DEAD", "SLAM", "BLACKHOLE"))
"""Ports on which nobody serves a key set."""
_BEARER = re.compile(r"(?i:bearer) +([\w-]+\.[\w-]+\.[\w-]+)")
_SUBJECT = re.compile(r"(?!\s)[^\x00-\x1f\x7f\ud800-\udfff]{1,1000}(?<!\s)")


class Verifier:
    """Of one gateway. `secrets` are the values of its variables and files."""

    def __init__(self, gateway: Gateway, secrets: Mapping[str, str]) -> None:
        self._providers = {provider.issuer: provider for provider in gateway.identity.jwt}
        keys = gateway.identity.api_key
        self._header = keys.header if keys else ""
        found = [(secrets.get(c.secret.name, ""), c.name) for c in keys.consumers] if keys else []
        shared = Counter(value for value, _ in found)
        self._consumers = {value: name for value, name in found if shared[value] == 1}

    def credentials(self, headers: Headers) -> Iterator[Credential]:
        tokens = values(headers, "authorization")
        found = _BEARER.fullmatch(tokens[0]) if len(tokens) == 1 else None
        if found is not None:
            yield self._token(found[1])
        keys = values(headers, self._header) if self._header else []
        if keys:
            yield Credential("api_key", self._consumers.get(keys[0], "") if len(keys) == 1 else "")

    def _token(self, token: str) -> Credential:
        try:
            issuer = jwt.decode(token, options={"verify_signature": False, "verify_sub": False}).get("iss")
            provider = self._providers[issuer]
            claims = _verified(token, provider)
        except (jwt.InvalidTokenError, KeyError, TypeError, ValueError):
            return Credential("jwt", "")
        user = claims.get(provider.user_claim)
        good = isinstance(user, str) and _SUBJECT.fullmatch(user) is not None
        said = claims.get("aud", [])
        meant = bool({*([said] if isinstance(said, str) else said)} & {*provider.audiences})
        scopes = claims.get(provider.scope_claim, "")
        held = frozenset(scopes.split(" ") if isinstance(scopes, str) else scopes)
        return Credential("jwt", str(user) if good else "", provider.name, held, meant)


def _verified(token: str, provider: JwtProvider) -> dict[str, Any]:
    """Raises where anything about it is wrong but whom it is meant for."""
    head = jwt.get_unverified_header(token)
    options: Any = {"verify_aud": False, "verify_sub": False, "verify_iat": False, "require": ["exp"]}
    for key in _keys(provider):
        if "kid" in head and key.get("kid") != head["kid"]:
            continue
        try:
            known = jwt.PyJWK(key, algorithm=head["alg"])
            return dict(
                jwt.decode(
                    token, known.key, algorithms=list(provider.algorithms), options=options, leeway=provider.leeway
                )
            )
        except jwt.InvalidKeyError:
            continue
        except jwt.InvalidSignatureError:
            continue
    raise jwt.InvalidSignatureError


def _keys(provider: JwtProvider) -> list[dict[str, Any]]:
    if provider.jwks is not None:
        found: list[dict[str, Any]] = json.loads(provider.jwks)["keys"]
        return found
    url = urlsplit(provider.jwks_url or "")
    if url.port in NOBODY:
        return []
    name = url.path.rpartition("/")[2].removesuffix(".json")
    served: list[dict[str, Any]] = key_set(name)["keys"]
    return served
