"""Tokens and key sets of issuers that exist for one run: nobody's real key is asked for, and none is written down."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

from gwc.ir import JwtProvider
from gwc.testing.language import User

LIFETIME = 3600
"""Seconds."""
_LONG = 86400
_CURVES: dict[str, tuple[ec.EllipticCurve, int, str]] = {
    "ES256": (ec.SECP256R1(), 32, "P-256"),
    "ES384": (ec.SECP384R1(), 48, "P-384"),
}
_HASHES: Mapping[str, type[hashes.HashAlgorithm]] = {
    "256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512,
}  # fmt: skip


@dataclass(frozen=True)
class Issuer:
    """One provider of the policy with a key of its own, and an impostor's beside it."""

    provider: JwtProvider

    @property
    def algorithm(self) -> str:
        """Elliptic curves where the policy allows them: their keys are made in no time."""
        return next((one for one in self.provider.algorithms if one in _CURVES), self.provider.algorithms[0])

    @property
    def _kid(self) -> str:
        return f"gwc-test-{self.provider.name}"

    @cached_property
    def _key(self) -> ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey:
        return self._made()

    @cached_property
    def _impostor(self) -> ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey:
        return self._made()

    def _made(self) -> ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey:
        if self.algorithm in _CURVES:
            return ec.generate_private_key(_CURVES[self.algorithm][0])
        return rsa.generate_private_key(65537, 2048)

    def key_set(self) -> str:
        """The public key as a JSON Web Key Set."""
        named = {"kid": self._kid, "alg": self.algorithm, "use": "sig"}
        if isinstance(self._key, ec.EllipticCurvePrivateKey):
            point, (_, size, curve) = self._key.public_key().public_numbers(), _CURVES[self.algorithm]
            values = {"kty": "EC", "crv": curve, "x": _number(point.x, size), "y": _number(point.y, size)}
        else:
            public = self._key.public_key().public_numbers()
            values = {"kty": "RSA", "n": _number(public.n, 256), "e": _number(public.e, 3)}
        return json.dumps({"keys": [{**named, **values}]})

    def token(self, user: User, scopes: frozenset[str]) -> str:
        """`scopes` are those of a user who says nothing of them."""
        head = {"alg": self.algorithm, "typ": "JWT", "kid": self._kid}
        signed = f"{_part(head)}.{_part(self._claims(user, scopes))}"
        if user.token == "unsigned":  # noqa: S105 - a word, no token
            return f"{signed}."
        key = self._impostor if user.token == "forged" else self._key  # noqa: S105
        return f"{signed}.{_b64(self._signature(key, signed.encode()))}"

    def _claims(self, user: User, scopes: frozenset[str]) -> dict[str, Any]:
        now, provider = int(time.time()), self.provider
        held = sorted(scopes) if user.scopes is None else user.scopes
        begins, ends = {"expired": (-2 * _LONG, -_LONG), "early": (_LONG, 2 * _LONG)}.get(user.token, (0, LIFETIME))
        claims = {
            "iss": provider.issuer, "aud": user.audience or provider.audiences[0], "iat": now + min(begins, 0),
            "exp": now + ends, provider.user_claim: user.name, provider.scope_claim: " ".join(held), **user.claims,
        }  # fmt: skip
        return {**claims, "nbf": now + begins} if user.token == "early" else claims  # noqa: S105

    def _signature(self, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, signed: bytes) -> bytes:
        digest = _HASHES[self.algorithm[2:]]()
        if isinstance(key, rsa.RSAPrivateKey):
            return key.sign(signed, padding.PKCS1v15(), digest)
        size = _CURVES[self.algorithm][1]
        r, s = utils.decode_dss_signature(key.sign(signed, ec.ECDSA(digest)))
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")  # RFC 7518, section 3.4


def _part(value: Mapping[str, Any]) -> str:
    return _b64(json.dumps(value, separators=(",", ":")).encode())


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _number(value: int, length: int) -> str:
    return _b64(value.to_bytes(length, "big"))
