"""The client's TLS: what it offers is what is agreed on, and a refusal shows as one."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from conformance.client import Request, Response, exchange, exchange_kept
from conformance.pki import make_pki, server_context
from conformance.tls import REFUSED, Tls
from conformance.upstream import Upstream


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pki")
    make_pki(folder)
    return folder


@pytest.fixture(scope="module")
def service(pki: Path) -> Iterator[Upstream]:
    modern, spoken = server_context(pki, "service"), server_context(pki, "service")
    modern.minimum_version = ssl.TLSVersion.TLSv1_3
    spoken.set_alpn_protocols(["http/1.1"])
    with Upstream({"TLS": spoken, "MTLS": modern, "ROGUE": server_context(pki, "rogue")}) as running:
        yield running


def ask(service: Upstream, instance: str, tls: Tls, body: bytes = b"") -> Response:
    request = Request("POST", "/x", (("Host", "h"),), body, tls=tls)
    return exchange(("127.0.0.1", service.ports[instance]), request)


def test_what_was_agreed_on(service: Upstream, pki: Path) -> None:
    response = ask(service, "TLS", Tls(pki / "ca.pem"), b"x" * 300_000)
    assert (response.status, response.tls, response.alpn) == (200, "TLSv1.3", "http/1.1")
    response = ask(service, "TLS", Tls(pki / "ca.pem", alpn=(), highest="TLSv1.2"))
    assert (response.status, response.tls, response.alpn) == (200, "TLSv1.2", "")


@pytest.mark.parametrize(
    ("instance", "offer"),
    [
        ("MTLS", {"highest": "TLSv1.2"}),
        ("TLS", {"lowest": "TLSv1", "highest": "TLSv1.1"}),
        ("TLS", {"highest": "TLSv1.2", "ciphers": "aNULL:@SECLEVEL=0"}),
        ("TLS", {"name": "another.internal"}),
        ("ROGUE", {}),
    ],
)
def test_a_refusal_by_either_side(service: Upstream, pki: Path, instance: str, offer: dict[str, str]) -> None:
    response = ask(service, instance, replace(Tls(pki / "ca.pem"), **offer))  # type: ignore[arg-type]
    assert (response.status, response.tls, response.complete) == (0, REFUSED, False)


def test_plain_http_to_tls(service: Upstream, pki: Path) -> None:
    assert ask(service, "TLS", Tls(pki / "ca.pem", off=True)).status == 0


def test_without_http_2_there_is_no_answer_to_it(service: Upstream, pki: Path) -> None:
    request = Request("GET", "/x", (("Host", "h"),), tls=Tls(pki / "ca.pem", alpn=("h2",)))
    responses = exchange_kept(("127.0.0.1", service.ports["TLS"]), [request] * 2)
    assert [(response.status, response.alpn) for response in responses] == [(0, ""), (0, "")]
