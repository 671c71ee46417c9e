"""What tracing and accounting add to a question: applications with and without them, asked in turn in one process."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
from fastapi import FastAPI

from gwc_assistant.app import create_app
from gwc_assistant.cost import Charge
from gwc_assistant.settings import Settings
from gwc_assistant.telemetry import Telemetry, otlp
from ratios import Spread, markdown

SECRET = "the-gateway-and-nobody-else"
BASE = "neither"
VARIANTS = {BASE: (False, False), "tracing": (True, False), "accounting": (False, True), "both": (True, True)}
ROUNDS, EACH = 9, 25
OTHERS = """
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
SAID = {"choices": [{"delta": {"content": "As it is written [1]."}, "finish_reason": "stop"}]}
USED = {"choices": [], "usage": {"prompt_tokens": 1000, "completion_tokens": 100}}
ANSWER = "".join(f"data: {event}\\n\\n" for event in (json.dumps(SAID), json.dumps(USED), "[DONE]")).encode()
class Others(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        body = ANSWER if self.path.endswith("completions") else b""
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
server = ThreadingHTTPServer(("127.0.0.1", 0), Others)
print(server.server_address[1], flush=True)
server.serve_forever()
"""


class Nothing:
    """A ledger that forgets at once: all that a question asks of one."""

    async def writable(self) -> None: ...

    async def charge(self, charge: Charge) -> int | None:
        return charge.units


@dataclass(frozen=True, slots=True)
class Taken:
    """Of a question, milliseconds: of the processor, in all threads, and of the clock."""

    cpu: float
    wall: float


@dataclass(frozen=True)
class Asked:
    """`sampled` questions are in a trace of the gateway's, and their spans are sent away."""

    client: httpx.AsyncClient
    telemetry: Telemetry
    sampled: bool

    async def taken(self, questions: Sequence[str], layer: str) -> Taken:
        started, cpu = time.perf_counter(), time.process_time()
        for number, question in enumerate(questions):
            trace = f"00-{number + 1:032x}-{number + 1:016x}-0{int(self.sampled)}"
            response = await self.client.post("/v1/ask", json={"question": question}, headers={"traceparent": trace})
            if response.headers.get("X-Assistant-Cache") != layer:
                raise SystemExit(f"{question}: {response.status_code} {response.text}, not from {layer}")
        await asyncio.to_thread(self.telemetry.tracers.force_flush)  # or the next application pays for it
        cost = time.process_time() - cpu, time.perf_counter() - started
        return Taken(*(1000 * seconds / len(questions) for seconds in cost))


@contextmanager
def others() -> Iterator[str]:
    """A model, and where spans go, in a process of its own: what they do is not the service's cost."""
    process = subprocess.Popen([sys.executable, "-c", OTHERS], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
    finally:
        process.kill()
        process.communicate(timeout=20)


@asynccontextmanager
async def application(variant: str, others: str, directory: str) -> AsyncIterator[Asked]:
    tracing, accounting = VARIANTS[variant]
    told = {"llm_url": others, "llm_model": "gpt-4o-mini", "embedder": "lexical"}
    settings = Settings.model_validate({"gateway_secret": SECRET, "data_dir": Path(directory) / variant, **told})
    app = create_app(settings, otlp(f"{others}/traces") if tracing else None)
    if not accounting:
        parts = app.state.generations.current
        parts.ledger = Nothing()
        parts.accounts = replace(parts.accounts, ledger=parts.ledger)
    headers = {"X-Gateway-Secret": SECRET, "X-User-Id": "ada"}
    transport = httpx.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://service", headers=headers, timeout=30) as client,
    ):
        await _ready(app)
        yield Asked(client, app.state.generations.lasting.telemetry, tracing)


async def _ready(app: FastAPI) -> None:
    for _ in range(600):
        if app.state.phase.phase == "ready":
            return
        await asyncio.sleep(0.1)
    raise SystemExit("the service was not ready within a minute")


async def measured() -> dict[str, dict[str, list[Taken]]]:
    """By layer and variant, what a question took in each round."""
    found: dict[str, dict[str, list[Taken]]] = {layer: {name: [] for name in VARIANTS} for layer in ("exact", "miss")}
    async with AsyncExitStack() as stack:
        directory, url = stack.enter_context(tempfile.TemporaryDirectory()), stack.enter_context(others())
        asked = {name: await stack.enter_async_context(application(name, url, directory)) for name in VARIANTS}
        for number in range(-1, ROUNDS):
            questions = [f"Who was king {number + 1} of the {place}th people?" for place in range(EACH)]
            for name in VARIANTS if number % 2 else reversed(VARIANTS):
                for layer in ("miss", "exact"):
                    taken = await asked[name].taken(questions, layer)
                    found[layer][name] += [taken] if number >= 0 else []  # the first round only warms up
    return found


def overhead() -> str:
    """The model answers at once: beside one that takes seconds, all of this is nothing."""
    rows = []
    for layer, variants in asyncio.run(measured()).items():
        for name, taken in variants.items():
            pairs = list(zip(taken, variants[BASE], strict=True))
            cpu, wall = Spread.of([one.cpu for one in taken]), Spread.of([one.wall for one in taken])
            of_cpu = Spread.of([one.cpu / base.cpu for one, base in pairs])
            of_wall = Spread.of([one.wall / base.wall for one, base in pairs])
            shown = (cpu.shown(".2f"), of_cpu.shown(".2f"), wall.shown(".2f"), of_wall.shown(".2f"))
            rows.append((layer, name, *shown))
    ratio = f"{BASE} = 1"
    return markdown(("answer from", "on", "processor ms", ratio, "ms", ratio), rows)
