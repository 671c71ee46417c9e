"""The process: when it is ready, and how it leaves without dropping a request."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx
import pytest

from assistant.model_server import ModelServer, Say
from assistant.running import SECRET, Process, Running, headers, process_of
from gwc_assistant.corpus import Corpus
from gwc_assistant.settings import Settings
from ports import free_port


@pytest.fixture
def process(settings: Settings, model_server: ModelServer) -> Iterator[Process]:
    told = {
        "GATEWAY_SECRET": SECRET,
        "DATA_DIR": str(settings.data_dir),
        "LLM_URL": model_server.url,
        "LLM_MODEL": "gpt-4o-mini",
        "DRAIN_DELAY": "1",
        "VERSE_INDEX": "off",
    }
    with process_of(told) as started:
        yield started


@dataclass
class Load:
    """What a gateway sends: without pause, over kept connections and new ones, until its health check has failed."""

    url: str
    stop: threading.Event = field(default_factory=threading.Event)
    served: int = 0
    dropped: list[str] = field(default_factory=list)

    def ask(self, keep: bool) -> None:
        with httpx.Client(base_url=self.url, headers=headers(), timeout=20, trust_env=False) as client:
            while not self.stop.is_set():
                try:
                    response = client.get("/v1/scripture/John 3:16", headers={} if keep else {"Connection": "close"})
                except httpx.TransportError as error:
                    self.dropped.append(repr(error))
                    return
                self.served += response.status_code == 200
                self.dropped += [] if response.status_code == 200 else [response.text]


def test_sigterm_under_load_drops_no_request_and_finishes_the_stream(
    process: Process, model_server: ModelServer
) -> None:
    process.until_ready()
    gate = threading.Event()
    model_server.script.append(Say(gate=gate))
    load = Load(process.url)
    clients = [threading.Thread(target=load.ask, args=(number % 2 == 0,)) for number in range(8)]
    for client in clients:
        client.start()
    streamed: list[str] = []
    stream = threading.Thread(target=lambda: streamed.append(_stream(process.url)))
    stream.start()
    for _ in range(200):
        if model_server.asked:
            break
        time.sleep(0.02)
    process.process.send_signal(signal.SIGTERM)
    phases = _phases(process.url)
    before = load.served
    time.sleep(0.4)  # until a gateway that probes often has noticed; the listener stays for longer than that
    load.stop.set()
    for client in clients:
        client.join(timeout=30)
    _until_refused(process.url)
    gate.set()
    stream.join(timeout=30)
    _, log = process.process.communicate(timeout=30)
    assert process.process.returncode == 0, log
    assert load.dropped == []
    assert phases == [(503, "close")]  # at once, while requests were still served; nobody keeps a connection
    assert load.served > before
    assert "event: usage" in streamed[0]
    assert all(json.loads(line) for line in log.splitlines())


def _until_refused(url: str) -> None:
    for _ in range(400):
        try:
            httpx.get(f"{url}/healthz", trust_env=False)
        except httpx.TransportError:
            return
        time.sleep(0.02)
    raise AssertionError("the listener was still there after eight seconds")


def _stream(url: str) -> str:
    body = {"question": "What does John 3:16 promise?"}
    sent = headers(Accept="text/event-stream")
    return httpx.post(f"{url}/v1/ask", json=body, headers=sent, timeout=30, trust_env=False).text


def _phases(url: str) -> list[tuple[int, str | None]]:
    for _ in range(50):
        response = httpx.get(f"{url}/readyz", trust_env=False)
        if response.status_code != 200:
            return [(response.status_code, response.headers.get("Connection"))]
        time.sleep(0.01)
    return []


def test_what_is_not_ready_says_so_and_lives(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    open_at_once = Corpus.open

    def slowly(self: Corpus) -> None:
        release.wait(30)
        open_at_once(self)

    monkeypatch.setattr(Corpus, "open", slowly)
    made: list[Running] = []
    starting = threading.Thread(target=lambda: made.append(Running(settings.model_copy(update={"port": port}))))
    port = free_port()
    starting.start()
    url = f"http://127.0.0.1:{port}"
    answers = _eventually(f"{url}/healthz")
    assert (answers.status_code, answers.json()) == (200, {"phase": "starting"})
    assert httpx.get(f"{url}/readyz", trust_env=False).status_code == 503
    early = httpx.get(f"{url}/v1/prompts", headers=headers(), trust_env=False)
    assert (early.status_code, early.json()["type"], early.headers["Retry-After"]) == (503, "urn:gwc:problem:busy", "1")
    release.set()
    starting.join(timeout=30)
    made[0].close()


def test_a_warm_up_that_failed_is_not_alive(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Corpus) -> None:
        raise OSError("the disk is gone")

    monkeypatch.setattr(Corpus, "open", broken)
    monkeypatch.setattr(Running, "_until_ready", lambda self: None)
    service = Running(settings)
    try:
        for _ in range(200):
            if service.client.get("/healthz").status_code == 503:
                break
            time.sleep(0.02)
        assert service.client.get("/healthz").json() == {"phase": "failed"}
        assert service.client.get("/readyz").status_code == 503
    finally:
        service.close()


def test_a_killed_stream_stays_charged_as_estimated(
    process: Process, model_server: ModelServer, settings: Settings
) -> None:
    process.until_ready()
    model_server.script.append(Say(gate=threading.Event()))
    sent = headers(Accept="text/event-stream")
    with (
        httpx.Client(timeout=20, trust_env=False) as client,
        client.stream(
            "POST", f"{process.url}/v1/ask", json={"question": "What does John 3:16 promise?"}, headers=sent
        ) as response,
    ):
        reported = int(response.headers["X-Cost-Units"])
        process.process.kill()
        process.process.wait(timeout=20)
    assert reported > 0
    again = Running(settings)
    try:
        usage = again.usage()
        assert (usage["units"], usage["carry"], usage["lines"][0]["estimated"]) == (reported, 0, 1)
    finally:
        again.close()


def _eventually(url: str) -> httpx.Response:
    for _ in range(400):
        try:
            return httpx.get(url, trust_env=False)
        except httpx.ConnectError:
            time.sleep(0.05)
    raise AssertionError("nobody listened within twenty seconds")
