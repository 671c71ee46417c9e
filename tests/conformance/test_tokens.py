"""The right tokens are right by an independent judge's reading, and each wrong one differs in what it should."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

from conformance.tokens import fill, key_set, keys, read_public, token
from gwc.source import Source


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _read(made: str) -> tuple[dict[str, Any], dict[str, Any]]:
    head, claims, _ = made.split(".")
    return json.loads(_decoded(head)), json.loads(_decoded(claims))


def _number(text: str) -> int:
    return int.from_bytes(_decoded(text), "big")


def _verify(made: str, issuer: str = "one") -> None:
    """With nothing but the published key set. Raises InvalidSignature."""
    signed, _, signature = made.rpartition(".")
    kid = _read(made)[0]["kid"]
    key = next(key for key in key_set(issuer)["keys"] if key["kid"] == kid)
    if key["kty"] == "RSA":
        public = rsa.RSAPublicNumbers(_number(key["e"]), _number(key["n"])).public_key()
        public.verify(_decoded(signature), signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return
    raw = _decoded(signature)
    der = utils.encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    curve = ec.EllipticCurvePublicNumbers(_number(key["x"]), _number(key["y"]), ec.SECP256R1()).public_key()
    curve.verify(der, signed.encode(), ec.ECDSA(hashes.SHA256()))


@pytest.mark.parametrize("spec", ["alice", "alice,alg=ES256"])
@pytest.mark.parametrize("issuer", ["one", "two"])
def test_a_token_holds(spec: str, issuer: str) -> None:
    made = token(f"{spec},iss={issuer},scopes=a b")
    _verify(made, issuer)
    _, claims = _read(made)
    assert (claims["sub"], claims["aud"], claims["scope"]) == ("alice", "assistant", "a b")
    assert claims["iss"] == f"https://{issuer}.example.com/"
    assert claims["exp"] > time.time() + 3000


@pytest.mark.parametrize("options", ["key=wrong", "alg=ES256,key=wrong", "embed=1", "sign=swap", "key=two"])
def test_a_forged_token_does_not(options: str) -> None:
    with pytest.raises(InvalidSignature):
        _verify(token(f"alice,{options}"))


def test_the_confused_signature_is_made_with_the_public_key() -> None:
    signed, _, signature = token("alice,alg=HS256").rpartition(".")
    assert _decoded(signature) == hmac.new(keys("one").pem(), signed.encode(), hashlib.sha256).digest()


@pytest.mark.parametrize(
    ("spec", "claim", "value"),
    [
        ("", "sub", None),
        ("a,exp=", "exp", None),
        ("a,aud=", "aud", None),
        ("a,iss=", "iss", None),
        ("a,aud=b+c", "aud", ["b", "c"]),
        ("a,set.sub=42", "sub", 42),
        ("a%0D%0Ab%2Cc", "sub", "a\r\nb,c"),
    ],
)
def test_claims_can_be_left_out_and_set(spec: str, claim: str, value: object) -> None:
    assert _read(token(spec))[1].get(claim) == value


def test_times_are_relative() -> None:
    _, claims = _read(token("a,exp=-60,nbf=90"))
    assert claims["exp"] == pytest.approx(time.time() - 60, abs=5)
    assert claims["nbf"] == pytest.approx(time.time() + 90, abs=5)


def test_cut_tokens() -> None:
    assert token("a,parts=2").count(".") == 1
    assert token("a,alg=none").endswith(".")
    assert token("a,sign=none").endswith(".")
    assert len(token("a,pad=5000")) > 6000


def test_placeholders_are_filled_by_repetition() -> None:
    filled = fill("Bearer ${TOKEN:user-${n}} ${n}", 7)
    assert filled.startswith("Bearer ey")
    assert filled.endswith(" 7")
    assert _read(filled.split(" ")[1])[1]["sub"] == "user-7"


def test_a_misspelt_option_is_an_error() -> None:
    with pytest.raises(ValueError, match="audience"):
        token("a,audience=b")


def test_key_sets_hold_no_private_part() -> None:
    text = read_public(Source("platform.yaml", ""), "keys/one.json")
    assert all(key.keys().isdisjoint({"d", "p", "q"}) for key in json.loads(text)["keys"])
    with pytest.raises(FileNotFoundError):
        read_public(Source("platform.yaml", ""), "keys/three.json")
