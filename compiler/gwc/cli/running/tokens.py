"""Tokens for developers: a key that lives in this process alone, accepted by the gateway that this process runs.

Nothing of it is written down. The gateway that runs here knows the public half beside the keys of the policies; what
`gwc compile` writes does not.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from gwc.cli.exits import CommandError, ExitCode
from gwc.ir import Gateway, JwtProvider

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

LIFETIME = 12 * 3600
"""Seconds: a working day."""
KEY_ID = "gwc-run"
_ALGORITHMS = ("ES256", "RS256")


@dataclass(frozen=True, slots=True)
class Token:
    """For one user of one issuer. `scopes` are all that any route asks for."""

    issuer: str
    user: str
    scopes: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Keys:
    """Private keys, and their public halves as JSON Web Keys, by algorithm."""

    private: dict[str, EllipticCurvePrivateKey | RSAPrivateKey]
    public: dict[str, dict[str, Any]]


def _made() -> Keys:
    try:
        from cryptography.hazmat.primitives.asymmetric import ec, rsa
        from jwt.algorithms import ECAlgorithm, RSAAlgorithm
    except ImportError as error:
        hint = "pip install 'pyjwt[crypto]', or set the secrets yourself and use real tokens"
        raise CommandError(ExitCode.ENVIRONMENT, "tokens are signed with PyJWT, which is not here", hint) from error
    curve, modulus = ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048)
    public = {
        "ES256": ECAlgorithm.to_jwk(curve.public_key(), as_dict=True),
        "RS256": RSAAlgorithm.to_jwk(modulus.public_key(), as_dict=True),
    }
    return Keys({"ES256": curve, "RS256": modulus}, public)


class DevIssuer:
    """Signs as each of the platform's issuers would. Raises CommandError where the library for it is missing."""

    @cached_property
    def _keys(self) -> Keys:
        return _made()

    def trusted_by(self, gateway: Gateway) -> Gateway:
        """The same gateway, which also takes the tokens of this process."""
        identity = gateway.identity
        return replace(gateway, identity=replace(identity, jwt=tuple(map(self._beside, identity.jwt))))

    def _beside(self, provider: JwtProvider) -> JwtProvider:
        algorithm = self._algorithm(provider)
        if algorithm is None:
            return provider
        kept = json.loads(provider.jwks)["keys"] if provider.jwks else []
        own = {**self._keys.public[algorithm], "kid": KEY_ID, "alg": algorithm, "use": "sig"}
        own.pop("key_ops", None)
        keys = json.dumps({"keys": [*kept, own]}, sort_keys=True, separators=(",", ":"))
        return replace(provider, jwks=keys, jwks_url=None)

    def _algorithm(self, provider: JwtProvider) -> str | None:
        return next((name for name in _ALGORITHMS if name in provider.algorithms), None)

    def tokens(self, gateway: Gateway, users: Sequence[str]) -> tuple[Token, ...]:
        scopes = sorted({scope for s in gateway.services for r in s.routes if r.auth for scope in r.auth.scopes})
        return tuple(
            Token(provider.issuer, user, tuple(scopes), self._signed(provider, algorithm, user, scopes))
            for provider in gateway.identity.jwt
            if (algorithm := self._algorithm(provider)) is not None
            for user in users
        )

    def _signed(self, provider: JwtProvider, algorithm: str, user: str, scopes: Sequence[str]) -> str:
        import jwt

        now = int(time.time())
        claims: dict[str, Any] = {"iss": provider.issuer, "iat": now, "exp": now + LIFETIME}
        claims |= {"aud": list(provider.audiences)} if provider.audiences else {}
        claims |= {provider.user_claim: user, provider.scope_claim: " ".join(scopes)}
        return jwt.encode(claims, self._keys.private[algorithm], algorithm=algorithm, headers={"kid": KEY_ID})
