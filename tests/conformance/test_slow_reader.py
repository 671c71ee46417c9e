"""A client that asks and then does not read: whoever asks for the same in the meantime must not wait for it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h2.config
import h2.connection
import h2.settings
import pytest

from conformance.client import Request, exchange
from conformance.conftest import on_each_gateway, skip_where_missing
from conformance.harness import Service, launched
from conformance.scenario import SCENARIOS
from conformance.tls import Tls
from conformance.variants import Variant
from gwc.support import Fidelity

SIZE, PIECES = 600_000, 20
"""Of an answer that may be kept; it comes in pieces, as it does over a network."""
PATIENCE = 5.0
"""Seconds: a third of what the route gives a request."""


@pytest.mark.live
@on_each_gateway("reader")
def test_nobody_waits_for_a_client_that_does_not_read(variant: Variant, service: Service, tmp_path: Path) -> None:
    skip_where_missing(variant)
    with (
        _answering() as port,
        launched(SCENARIOS / "cache/https.yaml", variant, service, tmp_path, {"A": port}) as gateway,
    ):
        if gateway.declared.get("listen.https") is Fidelity.UNSUPPORTED:
            pytest.skip(f"{variant.promise} refuses listen.https")
        https = gateway.gateway.listen.https
        assert https is not None
        address = (https.address.host, https.address.port)
        host, trusted = (("Host", "gateway.test"),), service.pki / "ca.pem"
        with Request("GET", "/c/large", host, tls=Tls(trusted, ("h2",))).connect(address, 5.0) as reader:
            _ask_and_read_nothing(reader, "/c/large")
            time.sleep(0.3)
            began = time.monotonic()
            response = exchange(address, Request("GET", "/c/large", host, tls=Tls(trusted)))
            assert (response.status, len(response.body)) == (200, SIZE)
            assert time.monotonic() - began < PATIENCE
        assert exchange(address, Request("GET", "/c/large", host, tls=Tls(trusted))).value("x-cache") == "HIT"


def _ask_and_read_nothing(sock: socket.socket, path: str) -> None:
    connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
    window = {h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 0}
    connection.local_settings = h2.settings.Settings(client=True, initial_values=window)
    connection.initiate_connection()
    fields = [(":method", "GET"), (":scheme", "https"), (":authority", "gateway.test"), (":path", path)]
    connection.send_headers(1, fields, end_stream=True)
    sock.sendall(connection.data_to_send())


@contextmanager
def _answering() -> Iterator[int]:
    """A service whose answers take a fifth of a second to arrive."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=_accept, args=(listening,), daemon=True).start()
        yield listening.getsockname()[1]


def _accept(listening: socket.socket) -> None:
    while True:
        try:
            connection, _ = listening.accept()
        except OSError:  # the test is over
            return
        threading.Thread(target=_answer, args=(connection,), daemon=True).start()


def _answer(connection: socket.socket) -> None:
    with connection:
        head = f"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: {SIZE}\r\n\r\n"
        try:
            connection.recv(65536)
            connection.sendall(head.encode())
            for _ in range(PIECES):
                connection.sendall(bytes(SIZE // PIECES))
                time.sleep(0.01)
        except OSError:  # the gateway has gone away
            return
