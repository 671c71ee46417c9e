"""A process of the service leaves under load, behind a real gateway: nobody who asks through the gateway notices."""

from __future__ import annotations

import itertools
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from assistant.gateways import Edge, bearer, edge
from assistant.model_server import ModelServer, Say
from assistant.running import SECRET, Process, process_of
from conformance.variants import Variant, variants
from gwc_assistant.settings import Settings

pytestmark = [pytest.mark.live, pytest.mark.slow]
NAMES = ("envoy/default", "nginx/njs", "kong-standin/plugin", "kong/plugin")
GATEWAYS = [
    pytest.param(one, id=one.name, marks=pytest.mark.xdist_group(f"drain-{one.name}"))
    for one in variants()
    if one.name in NAMES
]
CLIENTS = 4
STREAMS = 4
AFTERWARDS = 2.0
"""Seconds of load when the process has gone: whoever still sent requests there would be seen."""


@dataclass
class Load:
    """Clients that ask without pause, none of it from the edge's cache; `wrong` is what was no answer."""

    front: Edge
    stop: threading.Event = field(default_factory=threading.Event)
    served: int = 0
    wrong: list[str] = field(default_factory=list)

    def run(self, client: int) -> None:
        asked = bearer(f"user-{client}")
        base, host = self.front.client.base_url, {"Host": "api.example.com"}
        with httpx.Client(base_url=base, headers=host, timeout=30, trust_env=False) as http:
            for number in itertools.count():
                if self.stop.is_set():
                    return
                target = f"/assistant/v1/scripture/Psalm%20119:{1 + client * 40 + number % 40}"
                body = {"question": f"What is written in Genesis 1:{1 + number % 30}?"}
                if number % 3 == 0:
                    request = http.build_request("POST", "/assistant/v1/ask", json=body, headers=asked)
                else:
                    request = http.build_request("GET", target, params={"version": "KJV" if number % 2 else "ASV"})
                self._judge(http, request)

    def _judge(self, http: httpx.Client, request: httpx.Request) -> None:
        try:
            response = http.send(request)
        except httpx.TransportError as error:
            self.wrong.append(f"{request.method} {request.url.path}: {error!r}")
            return
        if response.status_code == 200:
            self.served += 1
        else:
            self.wrong.append(f"{request.method} {request.url.path}: {response.text}")


def unlimited(policy: dict[str, Any]) -> None:
    """Load is what the limits are against, and the edge's cache would hide who has left; the rest is the policy's."""
    del policy["limits"], policy["budget"]
    for route in policy["routes"]:
        route.pop("limits", None)
        route.pop("cache", None)
        route.pop("cost", None)


@pytest.fixture
def variant(request: pytest.FixtureRequest) -> Variant:
    found: Variant = request.param
    if missing := found.missing():
        pytest.skip(missing)
    return found


@pytest.fixture
def processes(variant: Variant, settings: Settings, model_server: ModelServer) -> Iterator[tuple[Process, Process]]:
    """Two, which drain as they do in production, where there is a gateway to put before them."""
    told = {"GATEWAY_SECRET": SECRET, "DATA_DIR": str(settings.data_dir), "EMBEDDER": "lexical"}
    told |= {"LLM_URL": model_server.url, "LLM_MODEL": "gpt-4o-mini", "LLM_NEXT_TOKEN": "60"}
    with process_of(told) as one, process_of(told) as other:
        one.until_ready()
        other.until_ready()
        yield one, other


def streamed(front: Edge, user: str) -> str:
    """The last event of an answer that takes its time."""
    sent, body = bearer(user, Accept="text/event-stream"), {"question": "What does John 3:16 promise?"}
    response = front.client.post("/assistant/v1/ask", json=body, headers=sent, timeout=60)
    return response.text.rstrip().split("\n\n")[-1]


@contextmanager
def under_load(front: Edge) -> Iterator[Load]:
    load = Load(front)
    clients = [threading.Thread(target=load.run, args=(number,)) for number in range(CLIENTS)]
    for client in clients:
        client.start()
    try:
        yield load
    finally:
        load.stop.set()
        for client in clients:
            client.join(timeout=60)


def until(happened: Callable[[], bool]) -> None:
    for _ in range(600):
        if happened():
            return
        time.sleep(0.05)
    raise AssertionError("it did not happen within half a minute")


def refuses(process: Process) -> bool:
    try:
        httpx.get(f"{process.url}/healthz", trust_env=False)
    except httpx.TransportError:
        return True
    return False


@pytest.mark.parametrize("variant", GATEWAYS, indirect=True)
def test_sigterm_under_load_drops_no_request_and_cuts_no_stream_through_the_gateway(
    variant: Variant, processes: tuple[Process, Process], model_server: ModelServer, tmp_path: Path
) -> None:
    (leaving, staying), gate = processes, threading.Event()
    (tmp_path / "gateway").mkdir()
    with (
        edge(variant, leaving.url, tmp_path / "gateway", staying.url, change=unlimited) as front,
        ThreadPoolExecutor(STREAMS) as pool,
    ):
        model_server.script.extend([Say(gate=gate)] * STREAMS)
        streams = [pool.submit(streamed, front, f"reader-{number}") for number in range(STREAMS)]
        until(lambda: len(model_server.asked) == STREAMS)
        with under_load(front) as load:
            time.sleep(1)
            before = load.served
            leaving.process.send_signal(signal.SIGTERM)
            until(lambda: refuses(leaving))
            meanwhile = load.served
            assert leaving.process.poll() is None, "it has no stream to finish"
            gate.set()
            _, log = leaving.process.communicate(timeout=60)
            time.sleep(AFTERWARDS)
        ends = [stream.result() for stream in streams]
    assert leaving.process.returncode == 0, log
    assert load.wrong == []
    assert 0 < before < meanwhile < load.served
    assert [end.partition("\n")[0] for end in ends] == ["event: usage"] * STREAMS
