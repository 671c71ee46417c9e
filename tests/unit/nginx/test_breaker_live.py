"""A breaker that opens while a request is being tried again and again."""

from __future__ import annotations

import http.client
import json
from pathlib import Path

import pytest

from gwc_nginx import TARGET
from ports import free_port
from unit.nginx.gateways import gateway, route, write
from unit.nginx.running import nginx

pytestmark = pytest.mark.live


@pytest.mark.parametrize("failures", [2, 4, 5, 7])
def test_the_reason_passes_however_many_tries_there_were(tmp_path: Path, failures: int) -> None:
    port = free_port()
    retries = {"attempts": 8, "when": ["connect"], "backoff": {"base": "10ms", "max": "20ms"}}
    upstream = {
        "endpoints": [{"url": f"http://127.0.0.1:{free_port()}"}],  # nobody listens
        "breaker": {"failures": failures, "open": "20s"},
    }
    made = gateway(
        {"upstream": upstream, "routes": [route(retries=retries, timeouts={"request": "10s"})]},
        listen={"http": f"127.0.0.1:{port}", "admin": f"127.0.0.1:{free_port()}"},
    )
    with nginx(write(TARGET.emit(made, "njs"), tmp_path)):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=15)
        connection.request("GET", "/r")
        answer = connection.getresponse()
        assert (answer.status, json.loads(answer.read())["type"].rpartition("/")[2]) == (503, "circuit-open")
        connection.close()
