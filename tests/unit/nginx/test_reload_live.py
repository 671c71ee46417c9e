"""Requests that a worker from before a reload has begun, and one from after it ends: the inner hop has no other."""

from __future__ import annotations

import os
import signal
import socket
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from gwc_nginx import TARGET
from ports import free_port
from unit.nginx.gateways import gateway, route, write
from unit.nginx.running import Silent, nginx, service

pytestmark = pytest.mark.live

ELSEWHERE = {"upstream": {"endpoints": [{"url": "https://127.0.0.1:1"}], "tls": {"sni": "a.test"}}}


class _Service(Silent, BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()


def reload(directory: Path) -> None:
    os.kill(int((directory / "gwc.pid").read_text(encoding="utf-8")), signal.SIGHUP)
    time.sleep(1.5)


@pytest.mark.parametrize(
    ("after", "status"),
    [
        ({"b": {}}, b"200"),  # the settings are called after another route
        ({"a": ELSEWHERE, "b": {}}, b"200"),  # they are now another route's alone
        ({"a": {}, "b": {"retries": "none"}}, b"502"),  # nothing tries any more
        ({"a": {}}, b"502"),
    ],
    ids=["another-gone", "another-changed", "changed", "gone"],
)
def test_a_request_under_way_is_its_own_route_s(tmp_path: Path, after: dict[str, Any], status: bytes) -> None:
    listen = {"http": f"127.0.0.1:{free_port()}", "admin": f"127.0.0.1:{free_port()}"}
    with service(_Service) as upstream:
        common = {"upstream": f"http://127.0.0.1:{upstream}", "retries": {"attempts": 2}}
        common |= {"routes": [route(methods=["POST"])]}

        def configure(**services: dict[str, Any]) -> None:
            written = ({**common, "service": name, "base_path": f"/{name}", **own} for name, own in services.items())
            write(TARGET.emit(gateway(*written, listen=listen), "njs"), tmp_path)

        configure(a={}, b={})
        with nginx(tmp_path):
            host, port = listen["http"].split(":")
            with socket.create_connection((host, int(port)), timeout=20) as client:
                client.sendall(b"POST /b/r HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nConnection: close\r\n\r\nab")
                time.sleep(0.5)
                configure(**after)
                reload(tmp_path)
                client.sendall(b"cd")
                assert client.recv(65536).split(b" ")[1] == status
