"""A Gateway on a developer's machine: its addresses, its secrets, its tokens."""

from __future__ import annotations

import json
import socket
import time
from dataclasses import replace
from datetime import date
from pathlib import Path

import jwt
import pytest

from gwc.cli.exits import CommandError, ExitCode
from gwc.cli.running import secrets
from gwc.cli.running.local import check_free, localised, unreachable
from gwc.cli.running.tokens import KEY_ID, DevIssuer
from gwc.cli.running.wanted import Wanted
from gwc.ir import Gateway
from gwc.tries import pauses
from ports import free_port
from testkit import gateway

PLATFORM = """\
apiVersion: gwc/v1
kind: Platform
listen:
  http: "0.0.0.0:{http}"
  https: {{port: {https}, certificate: {{file: {files}/tls.crt}}, key: {{secret: {{file: {files}/tls.key}}}}}}
  admin: "127.0.0.1:{admin}"
identity:
  gateway_secret: {{header: X-Gateway-Secret, secret: {{env: GWC_TEST_SECRET}}}}
  jwt:
    - {{issuer: "https://one.example.com/", audience: [shop], jwks: {{url: "https://one.example.com/keys"}}}}
    - issuer: "https://two.example.com/"
      audience: [shop]
      jwks: {{url: "https://two.example.com/keys"}}
      algorithms: [ES384]
  api_key: {{header: X-API-Key, consumers: [{{name: app, secret: {{file: {files}/key}}}}]}}
rate_limit_store: {{redis: "redis://127.0.0.1:6379", password: {{secret: {{env: GWC_TEST_REDIS}}}}}}
defaults: {{auth: {{any_of: [jwt]}}}}
"""
SHOP = """\
apiVersion: gwc/v1
kind: Service
service: shop
upstream: http://127.0.0.1:{upstream}
routes: [{{name: goods, path: /goods, methods: [GET], auth: {{scopes: [shop.read]}}}}]
"""


@pytest.fixture
def built(tmp_path: Path) -> Gateway:
    ports = {"http": free_port(), "https": free_port(), "admin": free_port()}
    return gateway(SHOP.format(upstream=free_port()), platform=PLATFORM.format(files=tmp_path, **ports))


def _wanted(**more: object) -> Wanted:
    usual = Wanted("nginx", "policies", None, date(2026, 11, 23), None, None, None, False, ("dev",), False)
    return replace(usual, **more)  # type: ignore[arg-type]


def _put_certificate(directory: Path) -> None:
    for name in ("tls.crt", "tls.key", "key"):
        (directory / name).write_text("something", encoding="utf-8")


def test_only_this_machine_can_reach_it(built: Gateway, tmp_path: Path) -> None:
    _put_certificate(tmp_path)
    local, remarks = localised(built, _wanted())
    listen = local.listen
    assert listen.http and listen.https and built.listen.http
    assert {listen.http.host, listen.https.address.host, listen.admin.host} == {"127.0.0.1"}
    assert listen.http.port == built.listen.http.port
    assert remarks == ()


def test_other_ports_can_be_chosen(built: Gateway, tmp_path: Path) -> None:
    _put_certificate(tmp_path)
    listen = localised(built, _wanted(port=4711, admin_port=4712))[0].listen
    assert listen.http is not None
    assert (listen.http.port, listen.admin.port) == (4711, 4712)


def test_a_certificate_that_is_not_there_is_named_or_left_out(built: Gateway, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=rf"no {tmp_path}/tls\.crt and no {tmp_path}/tls\.key") as error:
        localised(built, _wanted())
    assert error.value.code is ExitCode.USAGE
    local, remarks = localised(built, _wanted(dev_secrets=True))
    assert local.listen.https is None
    assert local.listen.http is not None
    assert len(remarks) == 1 and "is left out" in remarks[0]


def test_plain_http_takes_the_place_of_https_that_is_left_out(built: Gateway) -> None:
    secure = replace(built, listen=replace(built.listen, http=None))
    listen = localised(secure, _wanted(dev_secrets=True))[0].listen
    assert listen.http is not None
    assert (listen.http.host, listen.http.port) == ("127.0.0.1", 8080)


def test_a_port_that_is_taken_is_named_with_its_line(built: Gateway) -> None:
    local, _ = localised(built, _wanted(dev_secrets=True))
    assert local.listen.http is not None
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)  # as gateways do
        other.bind(("127.0.0.1", local.listen.http.port))
        other.listen()
        with pytest.raises(
            CommandError, match=rf"port {local.listen.http.port} for http \(1\.yaml:4\) is in use"
        ) as error:
            check_free(local, frozenset())
        check_free(local, frozenset({str(local.listen.http)}))
    assert error.value.code is ExitCode.ENVIRONMENT
    check_free(local, frozenset())


def test_an_endpoint_on_which_nothing_listens_is_found(built: Gateway) -> None:
    ((address, origin),) = unreachable(built)
    assert (origin.span.file, origin.span.line) == ("0.yaml", 4)
    with socket.create_server(("127.0.0.1", address.port)):
        assert unreachable(built) == ()


def test_every_secret_that_is_missing_is_named(built: Gateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GWC_TEST_SECRET", raising=False)
    lacking = secrets.missing(replace(built, listen=replace(built.listen, https=None)))
    assert [(one.source, one.name) for one in lacking] == [
        ("env", "GWC_TEST_SECRET"), ("file", f"{tmp_path}/key"),
    ], "the store's password is not needed where nothing is counted in it"  # fmt: skip
    with pytest.raises(CommandError, match="GWC_TEST_SECRET and the file"):
        secrets.check_there(lacking, made_up=False)
    made_up = secrets.throw_away(lacking)
    assert made_up.keys() == {"GWC_TEST_SECRET"}
    assert made_up["GWC_TEST_SECRET"] != secrets.throw_away(lacking)["GWC_TEST_SECRET"]
    monkeypatch.setenv("GWC_TEST_SECRET", "there")
    (tmp_path / "key").write_text("there\n", encoding="utf-8")
    assert secrets.missing(replace(built, listen=replace(built.listen, https=None))) == ()


def test_a_token_is_one_that_the_gateway_takes_and_that_no_policy_knows(built: Gateway) -> None:
    issuer = DevIssuer()
    trusting = issuer.trusted_by(built)
    first, second = trusting.identity.jwt
    assert first.jwks is not None and first.jwks_url is None
    assert second == built.identity.jwt[1], "an algorithm that is not ours: left as it was"
    (key,) = json.loads(first.jwks)["keys"]
    assert key["kid"] == KEY_ID
    assert key.keys().isdisjoint({"d", "p", "q", "dp", "dq", "qi", "k"})
    (token,) = issuer.tokens(trusting, ["alice"])
    claims = jwt.decode(token.text, jwt.PyJWK(key), algorithms=[key["alg"]], audience="shop", issuer=first.issuer)
    assert (claims["sub"], claims["scope"]) == ("alice", "shop.read")
    assert time.time() < claims["exp"] < time.time() + 24 * 3600


def test_each_run_has_a_key_of_its_own(built: Gateway) -> None:
    one, other = DevIssuer().trusted_by(built), DevIssuer().trusted_by(built)
    assert one.identity.jwt[0].jwks != other.identity.jwt[0].jwks


def test_the_keys_of_the_policies_stay(built: Gateway) -> None:
    kept = {"kty": "EC", "crv": "P-256", "x": "eA", "y": "eQ", "kid": "real"}
    provider = replace(built.identity.jwt[0], jwks=json.dumps({"keys": [kept]}), jwks_url=None)
    identity = replace(built.identity, jwt=(provider,))
    found = DevIssuer().trusted_by(replace(built, identity=identity)).identity.jwt[0].jwks
    assert [key["kid"] for key in json.loads(found or "")["keys"]] == ["real", KEY_ID]


def test_pauses_double_up_to_their_maximum(built: Gateway) -> None:
    retries = replace(built.services[0].routes[0].retries, attempts=4, backoff_base=0.1, backoff_max=0.25)
    assert pauses(retries) == (0.1, 0.2, 0.25, 0.25)
