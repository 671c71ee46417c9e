"""A worker process that is killed takes nothing with it: what it was serving no longer counts as in flight."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from conformance.client import Request, exchange
from conformance.conftest import skip_where_missing
from conformance.harness import Launched, Service, launched
from conformance.scenario import SCENARIOS
from conformance.script import KEY_HEADER, SCRIPT_HEADER, Script, encode
from conformance.variants import Variant, variants

SCENARIO = SCENARIOS / "concurrency/service.yaml"
CAP = 3
AGAIN = 20.0
"""Seconds within which other workers have taken the place of the killed ones."""


def _params() -> list[object]:
    """Gateways that count what is in flight by themselves, in memory that outlives a worker."""
    return [pytest.param(v, id=v.name) for v in variants() if v.promise == "kong/plugin"]


@pytest.mark.live
@pytest.mark.parametrize("variant", _params())
def test_a_killed_worker_gives_its_places_back(variant: Variant, service: Service, tmp_path: Path) -> None:
    skip_where_missing(variant)
    with launched(SCENARIO, variant, service, tmp_path) as gateway, ThreadPoolExecutor(CAP) as pool:
        held = [pool.submit(_status, gateway, 8) for _ in range(CAP)]
        deadline = time.monotonic() + AGAIN
        while len(service.upstream.recorder.seen(_key(gateway))) < CAP and time.monotonic() < deadline:
            time.sleep(0.05)  # a request that asks too early would take the place of one of them
        assert _status(gateway) == 503
        for worker in _workers(tmp_path):
            os.kill(worker, signal.SIGKILL)
        assert [one.result() for one in held] == [0] * CAP
        while (status := _status(gateway)) != 200 and time.monotonic() < deadline:
            time.sleep(0.1)
        assert status == 200
        assert sorted(pool.map(lambda _: _status(gateway, 1), range(CAP))) == [200] * CAP


def _key(gateway: Launched) -> str:
    """The gateways have one service behind them, which remembers the requests of all."""
    return f"crash-{gateway.address[1]}"


def _status(gateway: Launched, delay: float = 0) -> int:
    script = encode([Script(delay=delay)])
    headers = (("Host", "gateway.test"), (KEY_HEADER, _key(gateway)), (SCRIPT_HEADER, script))
    try:
        return exchange(gateway.address, Request("GET", "/one", headers)).status
    except OSError:
        return 0


def _workers(directory: Path) -> list[int]:
    """The worker processes of the gateway that was started in `directory`."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            title, place = (entry / "cmdline").read_bytes(), (entry / "cwd").readlink()
        except OSError:  # of another user, or gone by now
            continue
        if title.startswith(b"nginx: worker process") and place == directory:
            found.append(int(entry.name))
    assert found, "no worker of this gateway"
    return found
