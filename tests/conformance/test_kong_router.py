"""On Kong the plugin finds routes, and tells Kong's router in a header which service one needs. Nobody else does."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.client import Request, exchange
from conformance.conftest import skip_where_missing
from conformance.harness import Launched, Service, launched, write
from conformance.scenario import SCENARIOS
from conformance.script import KEY_HEADER
from conformance.variants import Variant, variants
from gwc.ir import Timeouts
from gwc.target import Artifact, OutputFile
from gwc_kong.routing import FIELD
from ports import free_port
from unit.kong.gateways import gateway as gateway_of
from unit.kong.gateways import route
from unit.kong.gateways import service as service_of

SCENARIO = SCENARIOS / "identity_attacks/private_headers.yaml"
KONGS = [pytest.param(v, id=v.name) for v in variants() if v.target.name == "kong"]
HEADER = "X-Gwc-Service"


@pytest.fixture(params=KONGS)
def gateway(request: pytest.FixtureRequest, service: Service, tmp_path: Path) -> Iterator[Launched]:
    skip_where_missing(request.param)
    with launched(SCENARIO, request.param, service, tmp_path) as found:
        yield found


def asked(gateway: Launched, key: str, *headers: tuple[str, str], path: str = "/open/once/x") -> tuple[int, list[str]]:
    """The status, and which instances of the service were called."""
    key = marked(gateway, key)
    every = (("Host", "gateway.test"), (KEY_HEADER, key), *headers)
    status = exchange(gateway.address, Request("GET", path, every)).status
    return status, [seen.instance for seen in gateway.upstream.recorder.seen(key)]


def marked(gateway: Launched, key: str) -> str:
    """The gateways have one service behind them."""
    return f"{gateway.directory.name}-{gateway.address[1]}-{key}"


@pytest.mark.live
def test_more_headers_than_kongs_router_reads(gateway: Launched) -> None:
    """It counts from the first, and the plugin's is the last."""
    for number in (98, 150, 990):
        headers = [(f"a{n}", "b") for n in range(number)]
        for key, some in (
            ("many", headers),
            ("same", [("a", "b")] * number),
            ("behind", [*headers, (HEADER, "closed.retries-0")]),
            ("before", [(HEADER, "closed.retries-0"), *headers, ("x_gwc_service", "gwc.answered")]),
        ):
            assert asked(gateway, f"{key}-{number}", *some) == (200, ["A"]), (key, number)
    refused = [asked(gateway, f"too-many-{number}", *([("a", "b")] * number)) for number in (*range(992, 1004), 1300)]
    assert {status for status, _ in refused} <= {200, 400, 431}, "nginx may refuse them before the plugin does"
    assert {status for status, called in refused if not called} <= {400, 431}
    assert refused[-1][0] != 200
    assert (431, []) in refused


ODD = (
    b"CONNECT closed.retries-0:80 HTTP/1.1\r\nHost: closed\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: gateway.test\r\n",
    b"GET * HTTP/1.1\r\nHost: gateway.test\r\n",
    b"GET closed HTTP/1.1\r\nHost: gateway.test\r\n",
    b"GET http://closed/closed/x HTTP/1.1\r\nHost: gateway.test\r\n",
    b"GET /closed/x HTTP/1.0\r\n",
    b"GET /closed/x HTTP/1.1\r\n",
    b"GET /open/once/x#/closed/x HTTP/1.1\r\nHost: gateway.test\r\n",
    b"GET /open/once/%2e%2e%2f..%2fclosed/x HTTP/1.1\r\nHost: gateway.test\r\n",
    b"GET /" + b"x" * 40000 + b" HTTP/1.1\r\nHost: gateway.test\r\n",
    b"GET /open/once/x HTTP/1.1\r\nHost: a\r\nHost: b\r\n",
    b"POST /open/once/x HTTP/1.1\r\nHost: gateway.test\r\nContent-Length: 999999999999\r\n",
    b"BREW /open/once/x HTTP/1.1\r\nHost: gateway.test\r\n",
)
"""Requests that are nobody's; some of them never reach the phase in which the plugin routes."""


@pytest.mark.live
def test_odd_requests_reach_nobody_whatever_they_say(gateway: Launched) -> None:
    for number, head in enumerate(ODD):
        key = marked(gateway, f"odd-{number}")
        for said in ("open.retries-0", "closed.retries-0", "gwc.answered"):
            request = head + f"{HEADER}: {said}\r\n{KEY_HEADER}: {key}\r\nConnection: close\r\n\r\n".encode()
            status = status_of(gateway.address, request)
            assert 400 <= status < 500, (head[:60], said, status)
        assert gateway.upstream.recorder.seen(key) == [], head[:60]


def status_of(address: tuple[str, int], request: bytes) -> int:
    with socket.create_connection(address, 20) as sock:
        sock.sendall(request)
        answer = b""
        while piece := sock.recv(65536):
            answer += piece
    found = re.match(rb"HTTP/1\.[01] (\d{3}) ", answer)
    assert found, answer[:200]
    return int(found[1])


@pytest.mark.live
def test_a_trailer_chooses_nothing(gateway: Launched) -> None:
    key = marked(gateway, "trailer")
    body = b"1\r\nx\r\n0\r\nX-Gwc-Service: closed.retries-0\r\n\r\n"
    head = f"GET /open/once/x HTTP/1.1\r\nHost: gateway.test\r\n{KEY_HEADER}: {key}\r\nConnection: close\r\n"
    assert status_of(gateway.address, f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + body) == 200
    (seen,) = gateway.upstream.recorder.seen(key)
    assert (seen.instance, seen.values(HEADER)) == ("A", [])


@pytest.mark.live
@pytest.mark.parametrize("variant", KONGS)
def test_where_kong_chooses_otherwise_nothing_is_forwarded(variant: Variant, service: Service, tmp_path: Path) -> None:
    """A Kong that somebody has given other routes: the plugin holds what it chose against what it was told to."""
    skip_where_missing(variant)
    with launched(SCENARIO, variant, service, tmp_path, change=_crossed) as gateway:
        status, called = asked(gateway, "crossed")
        assert (status, called) == (500, [])
        assert asked(gateway, "straight", path="/guarded/x")[0] == 200


def _crossed(artifact: Artifact) -> Artifact:
    """The Kong route of one service stands under another, and the other way round."""
    output = artifact.files["kong.yml"]
    one, other = (f'{FIELD} == \\"{name}.retries-0\\""\n' for name in ("open", "closed"))
    text = output.text.replace(one, "crossed over").replace(other, one).replace("crossed over", other)
    assert text != output.text
    return Artifact(
        artifact.target, artifact.profile, {**artifact.files, "kong.yml": OutputFile(text, {})}, artifact.secrets
    )


@pytest.mark.live
@pytest.mark.parametrize("variant", KONGS)
def test_a_service_that_stops_reading_has_the_time_of_the_route(variant: Variant, tmp_path: Path) -> None:
    """Kong's own call for timeouts leaves the one for sending as it is, and its services say nothing of any."""
    skip_where_missing(variant)
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        size, http = 30_000_000, free_port()
        times = Timeouts(connect=1.0, request=30.0, idle=1.0)
        upload = route("upload", "/upload", "POST", max_body=size, timeouts=times)
        built = gateway_of(service_of("s", upload, port=deaf.getsockname()[1]), http=http, admin=free_port())
        write(variant.target.emit(built, variant.profile), tmp_path, {"GATEWAY_SECRET": "x"})
        running = variant.engine.launch(variant.engine.find(variant.profile), tmp_path, {"GATEWAY_SECRET": "x"})
        try:
            head = f"POST /upload HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {size}\r\n\r\n"
            started = time.monotonic()
            assert status_of(("127.0.0.1", http), head.encode() + bytes(size)) == 504
            assert time.monotonic() - started < 20
        finally:
            running.stop()
