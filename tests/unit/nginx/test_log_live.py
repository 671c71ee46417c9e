"""The access log where there is no room for the metrics: reloads may leave numbers of routes that are no more."""

from __future__ import annotations

import http.client
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gwc.target import Running
from gwc_nginx import TARGET
from ports import free_port
from unit.nginx.gateways import gateway, route, write
from unit.nginx.running import nginx

pytestmark = pytest.mark.live

_ROUTES = 60


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[tuple[int, int, Running]]:
    public, admin = free_port(), free_port()
    routes = [route(name=f"r{n}", path=f"/{n}") for n in range(_ROUTES)]
    made = gateway({"routes": routes}, listen={"http": f"127.0.0.1:{public}", "admin": f"127.0.0.1:{admin}"})
    write(TARGET.emit(made, "njs"), tmp_path)
    small = re.sub(r"gwc_metrics:\d+m", "gwc_metrics:32k", (tmp_path / "nginx.conf").read_text(encoding="utf-8"))
    (tmp_path / "nginx.conf").write_text(small, encoding="utf-8")
    with nginx(tmp_path) as running:
        yield public, admin, running


def get(port: int, target: str) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", target)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return text


def test_each_request_has_its_line(gate: tuple[int, int, Running]) -> None:
    public, admin, running = gate
    for n in range(_ROUTES):
        get(public, f"/{n}")
    missing = re.search(r"^gwc_unmeasured_requests_total (\d+)$", get(admin, "/metrics"), re.MULTILINE)
    assert missing is not None
    assert int(missing[1]) > 0
    until = time.monotonic() + 10
    while len(lines := running.output().splitlines()) < _ROUTES:  # a line is written once its request is over
        assert time.monotonic() < until
    assert sorted(json.loads(line)["path"] for line in lines) == sorted(f"/{n}" for n in range(_ROUTES))
