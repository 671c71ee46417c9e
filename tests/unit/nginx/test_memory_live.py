"""What a long answer costs of a worker's memory."""

from __future__ import annotations

import http.client
import socket
import stat
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from gwc_nginx import TARGET
from ports import free_port
from unit.nginx.gateways import gateway, route, write
from unit.nginx.running import Silent, nginx, service

pytestmark = pytest.mark.live

_MIB = 1 << 20
_LENGTH = 128 * _MIB
_FEW = 48 * 1024
"""KiB: what two workers and what the filter holds of one answer may grow by."""


class _Service(Silent, BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(500 if self.path == "/error" else 200)
        if self.path != "/chunked":
            self.send_header("Content-Length", str(_LENGTH))
        self.send_header("Connection", "close")
        self.end_headers()
        try:
            for _ in range(_LENGTH // _MIB):
                self.wfile.write(b"x" * _MIB)
        except OSError:
            assert self.path in ("/error", "/whole")  # nobody reads it to its end


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[tuple[int, int]]:
    """The port, and the process id of the master."""
    with service(_Service) as upstream:
        port = free_port()
        routes = [route(path="/{kind}", timeouts={"request": "60s"})]
        made = gateway(
            {"upstream": f"http://127.0.0.1:{upstream}", "routes": routes},
            listen={"http": f"127.0.0.1:{port}", "admin": f"127.0.0.1:{free_port()}"},
        )
        with nginx(write(TARGET.emit(made, "njs"), tmp_path)):
            yield port, int((tmp_path / "gwc.pid").read_text(encoding="utf-8"))


def peak(master: int) -> int:
    """KiB that the workers have held at most, all together."""
    children = Path(f"/proc/{master}/task/{master}/children").read_text(encoding="utf-8").split()
    lines = [line for pid in children for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()]
    return sum(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


def read(port: int, target: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", target)
    answer = connection.getresponse()
    length = 0
    while piece := answer.read(_MIB):
        length += len(piece)
    connection.close()
    return length


@pytest.mark.parametrize("target", ["/whole", "/chunked"])
def test_a_long_answer_passes_without_being_held(gate: tuple[int, int], target: str) -> None:
    port, master = gate
    before = peak(master)
    assert read(port, target) == _LENGTH
    assert peak(master) - before < _FEW


def test_the_long_body_of_an_error_is_not_held(gate: tuple[int, int]) -> None:
    port, master = gate
    before = peak(master)
    assert 0 < read(port, "/error") < 1000
    assert peak(master) - before < _FEW


def on_disk(master: int) -> int:
    """Bytes of the files that the workers have open; NGINX takes the names of temporary ones away at once."""
    children = Path(f"/proc/{master}/task/{master}/children").read_text(encoding="utf-8").split()
    found = [entry.stat() for pid in children for entry in Path(f"/proc/{pid}/fd").iterdir()]
    return sum(status.st_size for status in found if stat.S_ISREG(status.st_mode))


def test_a_client_that_does_not_read_fills_no_disk(gate: tuple[int, int]) -> None:
    port, master = gate
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(b"GET /whole HTTP/1.1\r\nHost: gateway.test\r\n\r\n")
        time.sleep(2)
        assert on_disk(master) < 4 * _MIB
