"""Compile policies/ for every gateway, let the engines judge the result, and ask a real Envoy a few questions.

Everything runs on loopback and free ports: of the policies only the addresses are replaced, nothing else.
"""

from __future__ import annotations

import http.client
import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from accept import NOW
from gwc.compile import compile_sources, render
from gwc.diagnostics import Report
from gwc.discovery import load_targets
from gwc.ir import Address, Gateway, Service
from gwc.source import read_policies
from gwc.target import Artifact

BUILD = Path(".demo")
LOOPBACK = "127.0.0.1"
SECRETS = ("GATEWAY_SECRET", "KEY_MOBILE", "KEY_BILLING", "REDIS_PASSWORD")
SHOWN = (
    "content-type",
    "allow",
    "retry-after",
    "ratelimit-policy",
    "ratelimit",
    "www-authenticate",
    "x-cache",
    "x-request-id",
)


@dataclass(frozen=True)
class Question:
    """A request and what there is to see in its answer."""

    about: str
    method: str
    target: str
    host: str = "api.example.com"
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int = 200
    times: int = 1  # asked so often; the last answer is shown


QUESTIONS = (
    Question("A request passes; the service got the gateway's secret and the id that the client sees.",
             "GET", "/media/v1/covers/genesis.jpg?width=200", headers={"X-Debug": "1"}),
    Question("A client claims to be somebody: the service never sees it.",
             "GET", "/media/v1/covers/exodus.jpg", headers={"X-User-Id": "mallory", "X-Gateway-Secret": "guess"}),
    Question("Nothing is served there.", "GET", "/nowhere", status=404),
    Question("A path that exists, with a method that it lacks.", "DELETE", "/media/v1/catalogue", status=405),
    Question("An encoded slash cannot smuggle a path past the rules.",
             "GET", "/media/v1/covers/..%2f..%2fv1%2freadings", status=400),
    Question("A private route without credentials.", "GET", "/notes/v1/notes", status=401),
    Question("An API key: the service learns from the gateway who asks.",
             "GET", "/media/v1/readings/7", headers={"X-API-Key": "<KEY_MOBILE>"}),
    Question("Somebody tries to sign in again and again: ten a minute, five at once.",
             "POST", "/accounts/v1/sessions", host="accounts.example.com", status=429, times=6),
    Question("The service fails with an HTML page full of internals: the client gets none of it.",
             "GET", "/media/v1/covers/broken.jpg", status=503),
)  # fmt: skip


class Upstream(BaseHTTPRequestHandler):
    """Stands in for all services: tells what it received, and fails like a badly kept application on `broken`."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if "broken" in self.path:
            self._answer(503, "text/html", b"<h1>Traceback</h1> File app.py, host db-1.prod.internal, password=...")
        else:
            received = {name: value for name, value in self.headers.items() if name.lower().startswith("x-")}
            self._answer(200, "application/json", json.dumps({"path": self.path, "received": received}).encode())

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.do_GET()

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Keep the demo's output to the client's view."""


def main() -> int:
    environ = {name: secrets.token_hex(16) for name in SECRETS}
    os.environ.update(environ)
    heading("policies/ -> three gateways")
    gwc("compile", "-o", str(BUILD), "--now", str(NOW))
    heading("the engines judge it")
    gwc("verify", "--now", str(NOW))
    heading("a real Envoy with these policies, asked")
    with upstream() as services, envoy(services, environ) as port:
        wrong = [question for question in QUESTIONS if not answered(port, question, environ)]
    print(f"\n{len(QUESTIONS) - len(wrong)} of {len(QUESTIONS)} answers are what the policies say.")
    return 1 if wrong else 0


def heading(text: str) -> None:
    print(f"\n== {text}", flush=True)


def gwc(*arguments: str) -> None:
    """One command as a user types it; the demo ends where it fails."""
    print("$ gwc", *arguments, flush=True)
    code = subprocess.run(["gwc", *arguments], check=False).returncode
    if code:
        sys.exit(code)


@contextmanager
def upstream() -> Iterator[int]:
    """The port of the stand-in."""
    server = ThreadingHTTPServer((LOOPBACK, 0), Upstream)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def envoy(services: int, environ: Mapping[str, str]) -> Iterator[int]:
    """The port of a running Envoy that has the policies and sends everything to the port `services`."""
    gateway = on_this_machine(load(), services)
    rendered = render(gateway, load_targets(["envoy"]), Report())
    assert rendered is not None and gateway.listen.http is not None
    engine, artifact = rendered[0].installed.target.engine, rendered[0].artifact
    with tempfile.TemporaryDirectory(prefix="gwc-demo-") as directory:
        write(artifact, Path(directory), environ)
        binary = engine.find(artifact.profile)
        running = engine.launch(binary, Path(directory), environ)
        print(f"Envoy {binary.version} runs; one stand-in plays all services behind it.")
        try:
            yield gateway.listen.http.port
        finally:
            running.stop()


def load() -> Gateway:
    report = Report()
    gateway = compile_sources(read_policies("policies", report), environment=None, now=NOW, report=report)
    assert gateway is not None, "gwc compile has just accepted them"
    return gateway


def on_this_machine(gateway: Gateway, services: int) -> Gateway:
    """The same policies with free loopback ports to listen on, and every service at the port `services`."""
    http, admin = (Address(host=LOOPBACK, port=port) for port in free_ports(2))
    listen = replace(gateway.listen, http=http, https=None, admin=admin)
    return replace(gateway, listen=listen, services=tuple(moved(service, services) for service in gateway.services))


def moved(service: Service, port: int) -> Service:
    endpoint = replace(service.upstream.endpoints[0], scheme="http", address=Address(host=LOOPBACK, port=port))
    return replace(service, upstream=replace(service.upstream, endpoints=(endpoint,), tls=None))


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind((LOOPBACK, 0))
        return [int(one.getsockname()[1]) for one in sockets]


def write(artifact: Artifact, directory: Path, environ: Mapping[str, str]) -> None:
    """What `gwc compile --with-secrets` leaves behind."""
    files = {path: output.text for path, output in artifact.files.items()}
    files |= {one.path: one.render(tuple(environ[secret.name] for secret in one.secrets)) for one in artifact.secrets}
    for path, text in files.items():
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_text(text, encoding="utf-8")


def answered(port: int, question: Question, environ: Mapping[str, str]) -> bool:
    """Ask, show what came back, and say whether the status is the expected one."""
    print(f"\n# {question.about}")
    given = "".join(f" -H '{name}: {value}'" for name, value in question.headers.items())
    often = f"   ({question.times} times; the last answer)" if question.times > 1 else ""
    print(f"> {question.method} http://{question.host}{question.target}{given}{often}")
    status, headers, body = [ask(port, question, environ) for _ in range(question.times)][-1]
    print(f"< {status} {HTTPStatus(status).phrase}")
    for name, value in headers:
        if name.lower() in SHOWN:
            print(f"< {name}: {value}")
    print(f"< {redacted(body, environ)}".rstrip(), flush=True)
    return status == question.status


def ask(port: int, question: Question, environ: Mapping[str, str]) -> tuple[int, list[tuple[str, str]], str]:
    """Status, headers and body of the answer."""
    filled = {name: secret_in(value, environ) for name, value in question.headers.items()}
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=20)
    try:
        connection.request(question.method, question.target, headers={"Host": question.host, **filled})
        response = connection.getresponse()
        return response.status, response.getheaders(), response.read().decode()
    finally:
        connection.close()


def secret_in(text: str, environ: Mapping[str, str]) -> str:
    return environ.get(text.strip("<>"), text)


def redacted(body: str, environ: Mapping[str, str]) -> str:
    """The stand-in tells what it received: this run's secrets are named, not shown."""
    for name, value in environ.items():
        body = body.replace(value, f"<{name}>")
    return body


if __name__ == "__main__":
    sys.exit(main())
