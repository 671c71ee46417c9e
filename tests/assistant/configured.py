"""A service in a process of its own that is configured by a file, and people who ask it meanwhile."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml

from assistant.running import SECRET, Process, headers, process_of

QUESTION = "What does John 3:16 promise?"


@dataclass
class Configured:
    """A process, and the file that it is configured by."""

    process: Process
    file: Path

    def write(self, **told: Any) -> None:
        self.file.write_text(yaml.safe_dump({"embedder": "lexical", **told}))

    def reload(self, outcome: str, secret: str = SECRET) -> None:
        """Returns once one has ended that way. `secret` is one that holds before and after it."""
        before = self.counted(outcome, secret)
        self.process.process.send_signal(signal.SIGHUP)
        for _ in range(1200):
            if self.counted(outcome, secret) > before:
                return
            time.sleep(0.05)
        raise AssertionError(f"no reload was {outcome} within a minute")

    def counted(self, outcome: str, secret: str) -> float:
        sent = headers(**{"X-Gateway-Secret": secret})
        text = httpx.get(f"{self.process.url}/metrics", headers=sent, timeout=60, trust_env=False).text
        lines = [line for line in text.splitlines() if f'assistant_reloads_total{{outcome="{outcome}"}}' in line]
        return float(lines[0].split()[-1]) if lines else 0.0

    def ask(self, question: str = QUESTION, **sent: str) -> httpx.Response:
        url, body = f"{self.process.url}/v1/ask", {"question": question}
        return httpx.post(url, json=body, headers=headers(**sent), timeout=60, trust_env=False)

    def log(self) -> list[dict[str, Any]]:
        """Of the whole process, which ends with this."""
        self.process.process.send_signal(signal.SIGTERM)
        _, text = self.process.process.communicate(timeout=30)
        assert self.process.process.returncode == 0, text
        return [json.loads(line) for line in text.splitlines()]


@contextmanager
def configured_process(data: Path, **told: str) -> Iterator[Configured]:
    """`data` is its directory, and has the file and the gateway's secret. It has begun with `told`."""
    file, secret = data / "assistant.yaml", data / "secret"
    file.write_text(yaml.safe_dump({"embedder": "lexical", **told}))
    secret.write_text(SECRET)
    environment = {"GATEWAY_SECRET_FILE": str(secret), "DATA_DIR": str(data), "CONFIG": str(file), "DRAIN_DELAY": "0"}
    with process_of(environment) as process:
        process.until_ready()
        yield Configured(process, file)


@dataclass
class Asker:
    """Asks one question after another, whole and in events, until it is stopped."""

    service: Configured
    name: str
    stop: threading.Event = field(default_factory=threading.Event)
    answers: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.thread = threading.Thread(target=self._ask)
        self.thread.start()

    def _ask(self) -> None:
        while not self.stop.is_set():
            number = len(self.answers)
            events = {"Accept": "text/event-stream"} if number % 2 else {}
            try:
                response = self.service.ask(f"Who was {self.name} number {number}?", **events)
            except httpx.TransportError as error:
                self.dropped.append(repr(error))
                return
            whole = response.status_code == 200 and ('"degraded": ""' in response.text.replace('":"', '": "'))
            ended = not events or "event: usage" in response.text
            (self.answers if whole and ended else self.dropped).append(response.text)

    def until(self, count: int) -> None:
        for _ in range(3000):
            if self.dropped or len(self.answers) >= count:
                return
            time.sleep(0.02)
        raise AssertionError("too few answers within a minute")
