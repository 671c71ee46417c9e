"""`gwc run` with real gateways: started, asked, changed, broken, ended."""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ports import free_port
from running.gateway import Running, Upstream, alive, running, until, upstream

pytestmark = pytest.mark.live
HAS_KONG = bool(os.environ.get("GWC_KONG"))
WITH_KONG = pytest.mark.skipif(not HAS_KONG, reason="GWC_KONG is not set")
FOLLOWING = ["envoy", "envoy/files", "nginx", pytest.param("kong", marks=WITH_KONG)]

PLATFORM = """\
apiVersion: gwc/v1
kind: Platform
listen: {{http: {port}, admin: "127.0.0.1:{admin}"}}
defaults: {{auth: none}}
targets:
  envoy: {{accept: [access_log, limits.ip]}}
  nginx: {{accept: [timeouts.request]}}
  kong: {{accept: [errors, timeouts.request, timeouts.idle, retries.backoff]}}
"""
SHOP = """\
apiVersion: gwc/v1
kind: Service
service: shop
upstream: http://127.0.0.1:{upstream}
routes:
  - name: goods
    path: /goods
    methods: [GET]
    limits: [{{per: service, rate: 3000/hour, burst: 1000}}]
  - {{name: slow, path: /slow, methods: [GET]}}
  - {{name: free, path: /free, methods: [GET]}}
"""


@contextmanager
def started(directory: Path, service: Upstream, *options: str, envoy: str = "default") -> Iterator[Running]:
    """`envoy`: its profile."""
    port, policies = free_port(), directory / "policies"
    policies.mkdir()
    platform = PLATFORM.format(port=port, admin=free_port()).replace("envoy: {", f"envoy: {{profile: {envoy}, ")
    (policies / "platform.yaml").write_text(platform, encoding="utf-8")
    (policies / "shop.yaml").write_text(SHOP.format(upstream=service.port), encoding="utf-8")
    with running(directory, port, *options) as found:
        found.told("watching policies")
        yield found


def _edit(directory: Path, old: str, new: str) -> None:
    shop = directory / "policies/shop.yaml"
    text = shop.read_text(encoding="utf-8")
    assert old in text
    shop.write_text(text.replace(old, new), encoding="utf-8")


class Asking:
    """One client that asks for something again and again while something else happens."""

    def __init__(self, found: Running, path: str) -> None:
        self.statuses: list[int] = []
        self._found, self._path, self._over = found, path, threading.Event()
        self._thread = threading.Thread(target=self._ask)

    def _ask(self) -> None:
        while not self._over.wait(0.02):
            self.statuses.append(self._found.get(self._path))

    def __enter__(self) -> Asking:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


def _held(found: Running, service: Upstream, into: list[int]) -> threading.Thread:
    """A request that is in flight until the service is told to answer."""
    thread = threading.Thread(target=lambda: into.append(found.get("/slow")))
    thread.start()
    assert service.waiting.acquire(timeout=60), "the slow request has not reached the service"
    return thread


@pytest.mark.parametrize("target", FOLLOWING)
def test_a_gateway_follows_its_policies_and_loses_no_request(target: str, tmp_path: Path) -> None:
    name, _, profile = target.partition("/")
    with upstream() as service, started(tmp_path, service, "-t", name, envoy=profile or "default") as found:
        assert [found.get("/goods") for _ in range(5)] == [200] * 5
        until(lambda: found.out.count(" /goods ") == 5, lambda: f"while it runs: {found.out}")
        held: list[int] = []
        in_flight = _held(found, service, held)

        with Asking(found, "/free") as asking:
            _edit(tmp_path, "rate: 3000/hour, burst: 1000", "rate: 3/hour, burst: 3")
            found.told("policies/shop.yaml changed: reloaded in ")
        assert set(asking.statuses) == {200}
        assert "tightened: shop/goods: limits.service.burst 1000 -> 3" in found.err
        service.release.set()
        in_flight.join()
        assert held == [200]

        statuses = [found.get("/goods") for _ in range(10)]
        assert statuses.count(200) <= 3
        assert set(statuses) == {200, 429} or set(statuses) == {429}

        before = len(found.err)
        _edit(tmp_path, "3/hour", "3/fortnight")
        found.told("cannot be served (1 error): the gateway goes on as it was", before)
        assert re.search(r"^policies/shop\.yaml:9:35: error GWC105", found.err[before:], re.MULTILINE)
        assert (found.get("/goods"), found.get("/free")) == (429, 200)

        service.release.clear()
        in_flight = _held(found, service, held)
        processes = found.descendants()
        assert processes
        found.process.send_signal(signal.SIGTERM)
        until(lambda: found.get("/free") == 0, lambda: "it still takes requests")
        assert found.process.poll() is None, "it waits for the request in flight"
        service.release.set()
        in_flight.join()
        assert held == [200, 200]
        assert found.process.wait(60) == 0
        assert [pid for pid in processes if alive(pid)] == []
        _look_at_the_log(found)


def _look_at_the_log(found: Running) -> None:
    rows = found.out.splitlines()
    assert rows[0].split() == ["time", "status", "request", "route", "who", "cache", "ms"]
    refused = [row for row in rows if "429" in row]
    assert refused
    assert all(row.endswith("rate-limited, by route/shop/goods/0 (policies/shop.yaml:9)") for row in refused)
    assert sum("/slow" in row and " 200 " in row for row in rows) == 2


SERVICE = (
    "import http.server as h, os; print('ready for', os.environ['GATEWAY_SECRET'][:4]);"
    "h.test(h.SimpleHTTPRequestHandler, port={port}, bind='127.0.0.1')"
)


def test_a_service_comes_and_goes_with_its_gateway(tmp_path: Path) -> None:
    service = Upstream(free_port())
    command = f'{sys.executable} -c "{SERVICE.format(port=service.port)}"'
    with started_with_secret(tmp_path, service, "-t", "nginx", "--dev-secrets", "--with-service", command) as found:
        found.told("ready for dev-")
        assert re.search(r"^  export GATEWAY_SECRET=dev-\S{20,}$", found.err, re.MULTILINE)
        until(lambda: found.get("/goods") == 404, lambda: found.err)  # a file server's own answer
        processes = found.descendants()
        assert found.end(signal.SIGINT) == 130
        assert [pid for pid in processes if alive(pid)] == []


@contextmanager
def started_with_secret(directory: Path, service: Upstream, *options: str) -> Iterator[Running]:
    secret = "identity: {gateway_secret: {header: X-Gateway-Secret, secret: {env: GATEWAY_SECRET}}}\n"
    port, policies = free_port(), directory / "policies"
    policies.mkdir()
    (policies / "platform.yaml").write_text(PLATFORM.format(port=port, admin=free_port()) + secret, encoding="utf-8")
    (policies / "shop.yaml").write_text(SHOP.format(upstream=service.port), encoding="utf-8")
    with running(directory, port, *options, GATEWAY_SECRET="") as found:
        found.told("watching policies")
        yield found


def test_a_service_that_dies_is_told_and_the_gateway_goes_on(tmp_path: Path) -> None:
    with upstream() as service, started(tmp_path, service, "-t", "nginx", "--with-service", "false") as found:
        found.told("false has ended (exit code 1); the gateway goes on without it")
        assert found.get("/free") == 200
        assert "nothing listens" not in found.err


def test_a_service_that_listens_elsewhere_is_told(tmp_path: Path) -> None:
    nobody = Upstream(free_port())
    with started(tmp_path, nobody, "-t", "nginx") as found:
        found.told(f"nothing listens on 127.0.0.1:{nobody.port} (policies/shop.yaml:4)")
        assert found.get("/free") == 502


def test_a_gateway_that_dies_ends_the_run(tmp_path: Path) -> None:
    with upstream() as service, started(tmp_path, service, "-t", "nginx") as found:
        for pid in found.descendants():
            os.kill(pid, signal.SIGKILL)
        assert found.process.wait(60) == 4
        assert "gwc: error: nginx has ended" in found.err


@pytest.mark.parametrize("target", ["envoy", "nginx"])
def test_nothing_outlives_a_run_that_was_killed(target: str, tmp_path: Path) -> None:
    """Kong's own start-up program hears of nothing while its nginx runs."""
    with upstream() as service, started(tmp_path, service, "-t", target, "--with-service", "sleep 300") as found:
        processes = found.descendants()
        assert len(processes) >= 2
        found.process.kill()
        found.process.wait(60)
        until(lambda: not any(map(alive, processes)), lambda: f"left: {list(filter(alive, processes))}")


def test_nobody_reads_and_it_ends(tmp_path: Path) -> None:
    with upstream() as service, started(tmp_path, service, "-t", "nginx", "--log", "json") as found:
        assert found.get("/free") == 200
        until(lambda: '"route":"free"' in found.out.replace(" ", ""), lambda: found.out)
        assert found.end(signal.SIGHUP) == 0
        assert found.out.count("\n") == 1
