"""Many requests at the same time at a service that is slow."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from gwc_nginx import TARGET
from ports import free_port
from unit.nginx.gateways import gateway, route, write
from unit.nginx.running import Silent, nginx, service

pytestmark = pytest.mark.live

_CROWD = 400
"""On two workers: six connections for each, and more than NGINX's usual 1024 a worker."""


class _Service(Silent, BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        time.sleep(3)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()


async def ask(port: int, number: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET /c/{number} HTTP/1.1\r\nHost: gateway.test\r\nConnection: close\r\n\r\n".encode())
    status = (await reader.read(12))[9:]
    writer.close()
    return status


async def crowd(port: int) -> Counter[bytes]:
    return Counter(await asyncio.gather(*(ask(port, number) for number in range(_CROWD))))


def test_a_crowd_of_misses_has_room(tmp_path: Path) -> None:
    with service(_Service) as upstream:
        port = free_port()
        cached = route(path="/c/**", cache={"ttl": "1h"}, timeouts={"request": "60s"})
        made = gateway(
            {"upstream": f"http://127.0.0.1:{upstream}", "routes": [cached]},
            listen={"http": f"127.0.0.1:{port}", "admin": f"127.0.0.1:{free_port()}"},
        )
        with nginx(write(TARGET.emit(made, "njs"), tmp_path)):
            assert asyncio.run(crowd(port)) == {b"200": _CROWD}
