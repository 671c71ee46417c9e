"""Identity of a platform whose source says that callers are known, and not by whom.

What is filled in lets nobody in until somebody writes the true issuer, key set and secrets: it fails closed.
"""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64encode
from hashlib import sha256

from gwc.diagnostics import Span
from gwc.imports.draft import Table
from gwc.imports.findings import Findings
from gwc.imports.values import slug

PLACEHOLDER_ISSUER = "https://issuer.invalid"
KEY_FILE = "keys/jwks.json"
_P256 = 2**256 - 2**224 + 2**192 + 2**96 - 1
_P256_B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B


def close(table: Table, platform: Table, guard: str, span: Span, findings: Findings) -> None:
    """Behind `guard`, which the language lacks: a signed token with a scope that no token has, whoever signs it."""
    assume_jwt(platform, span, findings)
    table.put("auth.any_of", ["jwt"], span, f"was {guard[:60]}")
    table.put("auth.scopes", [closing_scope(guard)], span, "nobody has it: write auth by hand")


def closing_scope(guard: str) -> str:
    return f"was.{slug(guard, 'guard')}"


def assume_jwt(
    platform: Table,
    span: Span,
    findings: Findings,
    *,
    issuer: str = "",
    audience: tuple[str, ...] = (),
    keys: str = "",
    file: str = "",
) -> None:
    """An issuer of signed tokens. Once for each issuer.

    `keys` is the URL of its key set, `file` one beside the policies; without both it is a file to be replaced.
    """
    true = issuer if re.match(r"https?://[^\s]", issuer) else ""
    known = _issuers(platform)
    if any(row.value("issuer") == (true or PLACEHOLDER_ISSUER) for row in known) or (known and not true):
        return
    if true and [row.value("issuer") for row in known] == [PLACEHOLDER_ISSUER]:
        known.clear()
    row = _issuer(true, audience, keys, file, span)
    known.append(row)
    _identity(platform, span).items["jwt"] = known
    said = [word for word, there in (("issuer", true), ("audience", audience), ("key set", keys or file)) if not there]
    if said:
        hint = "write them in platform.yaml, below identity.jwt; until then nobody gets in"
        findings.assumed(span, f"signed tokens are asked for, and the {', the '.join(said)} must be filled in", hint)


def _issuer(true: str, audience: tuple[str, ...], keys: str, file: str, span: Span) -> Table:
    row = Table(span)
    row.put("issuer", true or PLACEHOLDER_ISSUER, span, "" if true else "who signs the tokens?")
    row.put("audience", list(audience) or ["api"], span, "" if audience else "for whom are the tokens?")
    if keys:
        row.put("jwks.url", keys, span)
    else:
        row.put("jwks.file", file or KEY_FILE, span, "" if file else "put the issuer's public keys there")
    return row


def assume_api_key(
    platform: Table, header: str, span: Span, findings: Findings, *, keys: tuple[tuple[str, str], ...] = ()
) -> None:
    """API keys in `header`; `keys` are consumers with the environment variable that holds the key of each."""
    said = platform.said("identity.api_key.header")
    if said is not None:
        if header and said.value.lower() != header.lower():
            hint = "a platform has one header for them"
            findings.left_out(span, f"API keys in a second header, beside {said.value}", hint)
        return
    identity = _identity(platform, span)
    identity.put("api_key.header", header or "X-API-Key", span)
    table = identity.items["api_key"]
    assert isinstance(table, Table)
    for name, variable in keys or (("client", "KEY_CLIENT"),):
        consumer = table.add("consumers", Table(span))
        consumer.put("name", name, span)
        consumer.put("secret", {"env": variable}, span)
    if not keys:
        hint = "name your consumers in platform.yaml, below identity.api_key; until then nobody gets in"
        findings.assumed(span, "API keys are asked for, and not said whose", hint)


def _identity(platform: Table, span: Span) -> Table:
    found = platform.items.get("identity")
    if not isinstance(found, Table):
        found = platform.items["identity"] = Table(span)
    return found


def _issuers(platform: Table) -> list[Table]:
    identity = platform.items.get("identity")
    return identity.rows("jwt") if isinstance(identity, Table) else []


def placeholder_keys() -> str:
    """A key set whose private key nobody has: the point's x is a hash, so that nobody chose it by its secret."""
    for counter in range(256):
        x = int.from_bytes(sha256(b"nobody has the private key of this %d" % counter).digest()) % _P256
        square = (x**3 - 3 * x + _P256_B) % _P256
        y = pow(square, (_P256 + 1) // 4, _P256)
        if y * y % _P256 == square:
            break
    key = {
        "kty": "EC",
        "crv": "P-256",
        "use": "sig",
        "alg": "ES256",
        "kid": "replace-me",
        "x": _field(x),
        "y": _field(y),
    }
    return json.dumps({"keys": [key]}, indent=2) + "\n"


def _field(number: int) -> str:
    return urlsafe_b64encode(number.to_bytes(32)).decode().rstrip("=")


def needs_keys(platform: Table) -> bool:
    return any(row.value("jwks.file") == KEY_FILE for row in _issuers(platform))
