"""Two issuers of JSON Web Tokens, and every wrong token that an attacker would try.

The keys are made once a test process and never written down; scenarios name the key sets as
`jwks: {file: keys/one.json}` and `keys/two.json`. README.md explains the placeholders.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import unquote

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gwc.source import Source

ISSUERS = {"one": "https://one.example.com/", "two": "https://two.example.com/"}
AUDIENCE = "assistant"
_LIFETIME = 3600
_HASHES: dict[str, type[hashes.HashAlgorithm]] = {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}


@dataclass(frozen=True, slots=True)
class Keys:
    """An issuer's, or an attacker's: the key ids are the same, so that only the signature tells."""

    rsa: rsa.RSAPrivateKey
    ec: ec.EllipticCurvePrivateKey

    def pem(self) -> bytes:
        return self.rsa.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@cache
def keys(owner: str) -> Keys:
    return Keys(rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP256R1()))


def read_public(source: Source, file: str) -> str:
    """The key set of an issuer, in place of a file beside the policy. Raises FileNotFoundError."""
    for name in ISSUERS:
        if file == f"keys/{name}.json":
            return json.dumps(key_set(name))
    raise FileNotFoundError(2, "no such key set", file)


def key_set(name: str) -> dict[str, Any]:
    """The second issuer's keys do not say which algorithm they are for: many do not."""
    of_rsa, of_ec = keys(name).rsa.public_key().public_numbers(), keys(name).ec.public_key().public_numbers()
    point = {"crv": "P-256", "x": _number(of_ec.x, 32), "y": _number(of_ec.y, 32)}
    found: list[dict[str, str]] = [
        {"kty": "RSA", "kid": "rsa-1", "alg": "RS256", "n": _number(of_rsa.n, 256), "e": _number(of_rsa.e, 3)},
        {"kty": "EC", "kid": "ec-1", "alg": "ES256", **point},
    ]
    if name != "one":
        found = [{field: value for field, value in key.items() if field != "alg"} for key in found]
    return {"keys": found}


_PLACEHOLDER = re.compile(r"\$\{TOKEN:([^}]*)\}")


def fill(text: str, number: int) -> str:
    """`text` with `${n}`, the number of the repetition from 0, and then its tokens put in, made at this moment."""
    return _PLACEHOLDER.sub(lambda found: token(found[1]), text.replace("${n}", str(number)))


def token(spec: str) -> str:
    """`SUBJECT[,OPTION=VALUE]...`; values are percent-decoded, so that they can hold what the notation cannot."""
    subject, *rest = spec.split(",")
    options = {key: unquote(value) for key, _, value in (option.partition("=") for option in rest)}
    return _Maker(unquote(subject), options).token()


@dataclass(frozen=True, slots=True)
class _Maker:
    subject: str
    options: Mapping[str, str]

    def token(self) -> str:
        if unknown := self.options.keys() - _OPTIONS - {key for key in self.options if key.startswith("set.")}:
            raise ValueError(f"unknown options of a token: {sorted(unknown)}")
        head, claims = self._head(), self._claims()
        claims |= {"pad": "x" * int(self.options["pad"])} if "pad" in self.options else {}
        signed = f"{_part(head)}.{_part(claims)}"
        return self._cut(f"{signed}.{_b64(self._signature(signed.encode(), claims))}")

    def _head(self) -> dict[str, Any]:
        algorithm = self.options.get("alg", "RS256")
        kid = self.options.get("kid", "ec-1" if algorithm.startswith("ES") else "rsa-1")
        head: dict[str, Any] = {"alg": algorithm, "typ": "JWT", "kid": kid}
        if "embed" in self.options:  # the attacker's own key, for a verifier that believes the token
            head["jwk"] = key_set("attacker")["keys"][0] | {"kid": kid}
        return {key: value for key, value in head.items() if value != ""}

    def _claims(self) -> dict[str, Any]:
        now, issuer = int(time.time()), self.options.get("iss", "one")
        claims: dict[str, Any] = {"iss": ISSUERS.get(issuer, issuer), "sub": self.subject, "iat": now}
        audiences = self.options.get("aud", AUDIENCE).split("+")
        claims["aud"] = audiences if len(audiences) > 1 else audiences[0]
        claims |= {"scope": self.options["scopes"]} if "scopes" in self.options else {}
        for name, usual in (("exp", str(_LIFETIME)), ("nbf", "")):
            offset = self.options.get(name, usual)
            claims |= {name: now + int(offset)} if offset else {}
        return {k: v for k, v in claims.items() if v != ""} | self._set()

    def _set(self) -> dict[str, Any]:
        """`set.NAME=VALUE`: the claim as JSON where it is JSON, as text otherwise."""
        found = {key[4:]: value for key, value in self.options.items() if key.startswith("set.")}
        return {name: _json_or_text(value) for name, value in found.items()}

    def _signature(self, signed: bytes, claims: Mapping[str, Any]) -> bytes:
        algorithm, owner = self.options.get("alg", "RS256"), _owner(self.options, claims)
        if self.options.get("sign") == "swap":  # a genuine signature, of other claims
            signed = signed.split(b".")[0] + b"." + _part({**claims, "sub": "somebody-else"}).encode()
        if algorithm.lower() == "none" or self.options.get("sign") == "none":
            return b""
        if algorithm.startswith("HS"):
            return hmac.new(_shared(self.options, keys(owner), owner), signed, hashlib.sha256).digest()
        digest = _HASHES[algorithm[-3:]]()
        if algorithm.startswith("ES"):
            return _ecdsa(keys(owner).ec, signed, digest, der=self.options.get("sign") == "der")
        scheme = padding.PSS(padding.MGF1(digest), digest.digest_size) if algorithm[0] == "P" else padding.PKCS1v15()
        return keys(owner).rsa.sign(signed, scheme, digest)

    def _cut(self, token: str) -> str:
        parts = token.split(".")
        return ".".join(parts[: int(self.options.get("parts", 3))])


_OPTIONS = {"iss", "aud", "scopes", "exp", "nbf", "alg", "kid", "key", "sign", "embed", "pad", "parts", "secret"}


def _owner(options: Mapping[str, str], claims: Mapping[str, Any]) -> str:
    if options.get("key") == "wrong" or "embed" in options:
        return "attacker"
    if options.get("key") in ISSUERS:
        return options["key"]
    return next((name for name, issuer in ISSUERS.items() if issuer == claims.get("iss")), "one")


def _shared(options: Mapping[str, str], owner_keys: Keys, owner: str) -> bytes:
    """What a verifier confused about the algorithm might take for the shared secret."""
    if options.get("secret") == "modulus":
        return base64.urlsafe_b64decode(key_set(owner)["keys"][0]["n"] + "==")
    if options.get("secret") == "empty":
        return b""
    if options.get("secret") == "jwks":
        return json.dumps(key_set(owner), sort_keys=True, separators=(",", ":")).encode()
    return owner_keys.pem().rstrip() if options.get("secret") == "pem-stripped" else owner_keys.pem()


def _ecdsa(key: ec.EllipticCurvePrivateKey, signed: bytes, digest: hashes.HashAlgorithm, *, der: bool) -> bytes:
    """RFC 7518, section 3.4: r and s side by side, not the DER that libraries hand out."""
    signature = key.sign(signed, ec.ECDSA(digest))
    if der:
        return signature
    r, s = utils.decode_dss_signature(signature)
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def _part(value: Mapping[str, Any]) -> str:
    return _b64(json.dumps(value, separators=(",", ":")).encode())


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _number(value: int, length: int) -> str:
    return _b64(value.to_bytes(length, "big"))


def _json_or_text(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return value
