"""Names of endpoints are resolved again when their records expire: a live Envoy in front of a name that moves."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
import time
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from gwc.target import EngineMissingError
from gwc_envoy import TARGET
from ports import free_port
from unit.envoy.policies import gateway

_TTL = 1
_A = 1


class NameServer:
    """Answers every question for an IPv4 address with `addresses`, for a second."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                query, peer = self._socket.recvfrom(4096)
                self._socket.sendto(self._answer(query), peer)

    def _answer(self, query: bytes) -> bytes:
        end = query.index(b"\0", 12) + 5
        (kind,) = struct.unpack("!H", query[end - 4 : end - 2])
        found = self.addresses if kind == _A else ()
        head = query[:2] + struct.pack("!HHHHH", 0x8580, 1, len(found), 0, 0)
        records = [struct.pack("!HHHIH", 0xC00C, _A, 1, _TTL, 4) + socket.inet_aton(address) for address in found]
        return head + query[12:end] + b"".join(records)

    def close(self) -> None:
        self._socket.close()


@contextlib.contextmanager
def _service(address: str, port: int) -> Iterator[int]:
    """Says which address it was reached at."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(address)))
            self.end_headers()
            self.wfile.write(address.encode())

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer((address, port), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def _bootstrap(port: int, listen: dict[str, str], names: NameServer) -> str:
    """The target's own output, asking `names` instead of the host's resolver."""
    service = {"service": "a", "upstream": f"http://moving.test:{port}", "retries": "none"}
    data = json.loads(TARGET.emit(gateway(service, listen=listen), "default").files["envoy.json"].text)
    where = {"socket_address": {"address": "127.0.0.1", "port_value": names.port, "protocol": "UDP"}}
    resolver = {
        "@type": "type.googleapis.com/envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig",
        "resolvers": [where],
    }
    cluster = next(c for c in data["static_resources"]["clusters"] if c["name"] == "a")
    cluster["typed_dns_resolver_config"] = {"name": "envoy.network.dns_resolver.cares", "typed_config": resolver}
    return json.dumps(data)


def _reached(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/a", timeout=5) as response:
        return str(response.read().decode())


@pytest.mark.live
def test_a_name_that_moves_is_followed(tmp_path: Path) -> None:
    try:
        binary = TARGET.engine.find("default")
    except EngineMissingError as missing:
        pytest.skip(str(missing))
    names, http = NameServer("127.0.0.1"), free_port()
    with _service("127.0.0.1", 0) as port, _service("127.0.0.2", port):
        listen = {"http": f"127.0.0.1:{http}", "admin": f"127.0.0.1:{free_port()}"}
        (tmp_path / "envoy.json").write_text(_bootstrap(port, listen, names), encoding="utf-8")
        running = TARGET.engine.launch(binary, tmp_path, {})
        try:
            assert _reached(http) == "127.0.0.1"
            names.addresses = ("127.0.0.2",)
            deadline = time.monotonic() + 10
            while _reached(http) != "127.0.0.2":
                assert time.monotonic() < deadline, "the old address is still in use"
                time.sleep(0.1)
        finally:
            running.stop()
            names.close()
