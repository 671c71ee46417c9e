"""What is inlined of a key set: public keys, whole, and nothing else."""

from __future__ import annotations

import json
from contextlib import nullcontext
from datetime import date
from pathlib import Path

import pytest

from gwc.diagnostics import Report
from gwc.document import parse
from gwc.ir import Gateway
from gwc.policy.load import load
from gwc.resolve import read_beside, resolve
from gwc.source import MAX_BYTES, Source

PLATFORM = """\
apiVersion: gwc/v1
kind: Platform
identity: {jwt: {issuer: "https://i/", audience: [a], jwks: {file: keys.json}}}
"""
RSA = {"kty": "RSA", "kid": "1", "n": "AQAB", "e": "AQAB"}


def _resolved(keys: str) -> tuple[Gateway | None, Report]:
    report = Report()
    document = parse(Source("p.yaml", PLATFORM), report)
    assert document is not None
    loaded = load(document, None, report)
    assert loaded is not None
    day = date(2026, 11, 23)
    return resolve([loaded], environment=None, now=day, report=report, read=lambda _, __: keys), report


def test_members_that_no_verifier_knows_are_left_out() -> None:
    keys = {"keys": [{**RSA, "password": "hunter-2"}], "note": "hunter-2"}
    built, _ = _resolved(json.dumps(keys))
    assert built is not None
    assert built.identity.jwt[0].jwks is not None
    assert json.loads(built.identity.jwt[0].jwks) == {"keys": [RSA]}


@pytest.mark.parametrize(("keys", "says"), [
    ("[" * 100_000, "not JSON"),
    ('{"keys": NaN}', "not JSON"),
    ("\ufeff{}", "not JSON"),
    ("[]", "not a key set"),
    ('{"keys": []}', "not a key set"),
    ('{"keys": [1]}', "not a key set"),
    ('{"keys": [{"kty": []}]}', "neither RSA nor EC"),
    ('{"keys": [{"kty": "oct", "k": "hunter-2"}]}', "private key material (`k`)"),
    (json.dumps({"keys": [{**RSA, "d": "hunter-2"}]}), "private key material (`d`)"),
    ('{"keys": [{"kty": "RSA", "n": "AQAB"}]}', "lacks `e`"),
    ('{"keys": [{"kty": "EC", "crv": "P-256", "x": 1, "y": "A"}]}', "lacks `x`"),
])  # fmt: skip
def test_what_is_no_public_key_set_is_refused(keys: str, says: str) -> None:
    _, report = _resolved(keys)
    (found,) = report.diagnostics
    assert (found.code, str(found.span)) == ("GWC231", "p.yaml:3:68")
    assert says in found.message
    assert "hunter" not in found.message


@pytest.mark.parametrize("size", [MAX_BYTES, MAX_BYTES + 1])
def test_a_file_that_never_ends_is_not_read_to_its_end(tmp_path: Path, size: int) -> None:
    """A link of a repository may lead to /dev/zero."""
    (tmp_path / "keys.json").write_text("0" * size)
    platform = Source(str(tmp_path / "platform.yaml"), "")
    with nullcontext() if size == MAX_BYTES else pytest.raises(OSError, match="larger than 1024 KiB"):
        assert read_beside(platform, "keys.json") == "0" * size
