"""The edge cache over a reload, and its files."""

from __future__ import annotations

import http.client
import os
import signal
import stat
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from gwc.target import Artifact
from gwc_nginx import TARGET
from ports import free_port
from unit.nginx.gateways import gateway, route, write
from unit.nginx.running import Silent, nginx, service

pytestmark = pytest.mark.live


class _Service(Silent, BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.send_header("X-Gwc-Limited", "forged")
        self.end_headers()
        self.wfile.write(b"ok")


def ask(port: int, target: str, method: str = "GET") -> tuple[int, str | None]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, target)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status, answer.getheader("X-Cache")


def metrics(admin: int) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", admin, timeout=10)
    connection.request("GET", "/metrics")
    page = connection.getresponse().read().decode()
    connection.close()
    return page


def reload(directory: Path) -> None:
    """Wait for the old workers' successors: NGINX answers with either until the new ones are up."""
    os.kill(int((directory / "gwc.pid").read_text(encoding="utf-8")), signal.SIGHUP)
    time.sleep(1.5)


def policy(ports: tuple[int, int], upstream: int, *, more: int = 0, **cache: object) -> Artifact:
    """One cached route, and `more` of them beside it."""
    kept = {"ttl": "1h", "stale": {"if_error": "1h"}, **cache}
    others = [route(name=f"r{i}", path=f"/other/{i}", cache={"ttl": "1h"}) for i in range(more)]
    made = gateway(
        {"upstream": f"http://127.0.0.1:{upstream}", "routes": [route(path="/c/**", cache=kept), *others]},
        listen={"http": f"127.0.0.1:{ports[0]}", "admin": f"127.0.0.1:{ports[1]}"},
    )
    return TARGET.emit(made, "njs")


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[tuple[int, int, Path]]:
    with service(_Service) as upstream:
        ports = free_port(), free_port()
        write(policy(ports, upstream), tmp_path)
        (tmp_path / "service").write_text(str(upstream), encoding="utf-8")
        with nginx(tmp_path):
            yield *ports, tmp_path


def test_answers_outlive_a_reload_and_purged_ones_stay_purged(gate: tuple[int, int, Path]) -> None:
    public, admin, directory = gate
    assert ask(public, "/c/a") == (200, "MISS")
    reload(directory)
    assert ask(public, "/c/a") == (200, "HIT")
    assert ask(admin, "/cache/purge/main/r", "POST") == (204, None)
    reload(directory)
    assert ask(public, "/c/a") == (200, "MISS")
    assert ask(public, "/c/a") == (200, "HIT")


def test_purged_answers_do_not_come_back_with_more_routes(gate: tuple[int, int, Path]) -> None:
    public, admin, directory = gate
    assert ask(public, "/c/a") == (200, "MISS")
    assert ask(admin, "/cache/purge/main/r", "POST") == (204, None)
    upstream = int((directory / "service").read_text(encoding="utf-8"))
    write(policy((public, admin), upstream, more=12), directory)
    reload(directory)
    assert ask(public, "/c/a") == (200, "MISS")
    assert ask(public, "/c/a") == (200, "HIT")


@pytest.mark.parametrize("changed", [{"vary": {"headers": ["X-B"]}}, {"vary": {"headers": ["X-A"]}, "ttl": "2h"}])
def test_answers_of_one_policy_are_not_served_under_another(
    gate: tuple[int, int, Path], changed: dict[str, object]
) -> None:
    public, admin, directory = gate
    upstream = int((directory / "service").read_text(encoding="utf-8"))
    write(policy((public, admin), upstream, vary={"headers": ["X-A"]}), directory)
    reload(directory)
    assert ask(public, "/c/a") == (200, "MISS")
    assert ask(public, "/c/a") == (200, "HIT")
    write(policy((public, admin), upstream, **changed), directory)
    reload(directory)
    assert ask(public, "/c/a") == (200, "MISS")


def test_a_service_does_not_name_limits(gate: tuple[int, int, Path]) -> None:
    public, admin, _ = gate
    assert ask(public, "/c/d") == (200, "MISS")
    until = time.monotonic() + 10
    while "gwc_cache_results_total{" not in (page := metrics(admin)):  # a request counts once it is over
        assert time.monotonic() < until
    assert "forged" not in page


def test_nobody_but_the_gateway_may_read_what_is_kept(gate: tuple[int, int, Path]) -> None:
    public, _, directory = gate
    assert ask(public, "/c/b") == (200, "MISS")
    kept = [path for path in (directory / "cache").rglob("*") if path.is_file()]
    assert len(kept) == 1
    assert stat.S_IMODE(kept[0].stat().st_mode) == 0o600
    assert stat.S_IMODE((directory / "cache").stat().st_mode) == 0o700


def test_an_answer_whose_file_is_gone_is_asked_for_again(gate: tuple[int, int, Path]) -> None:
    public, _, directory = gate
    assert ask(public, "/c/c") == (200, "MISS")
    for path in [path for path in (directory / "cache").rglob("*") if path.is_file()]:
        path.unlink()
    assert ask(public, "/c/c") == (200, "MISS")
    assert ask(public, "/c/c") == (200, "HIT")
