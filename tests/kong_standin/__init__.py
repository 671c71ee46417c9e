"""A stand-in for Kong: what gwc emits for it, served by Debian's nginx with its Lua module.

It is NOT Kong. Phases, worker processes, shared dictionaries, sockets and timeouts are real nginx; Kong's router,
balancer and PDK are imitated in lua/standin.lua from the behaviour of Kong 3.9, as far as gwc's output uses them.
"""

from __future__ import annotations

import http.client
import os
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree, which

from gwc.diagnostics import Diagnostic
from gwc.target import Artifact, Binary, EngineMissingError
from kong_standin.configuration import write

_MODULE = Path("/usr/lib/nginx/modules/ngx_http_lua_module.so")
_CJSON = ("usr/lib/*/lua/5.1/cjson.so", "usr/lib/lua/5.1/cjson.so")  # Debian's lua-cjson; Kong ships its own
_HOW = "the stand-in for Kong needs nginx, libnginx-mod-http-lua and lua-cjson (apt)"
_READY_WITHIN = 15.0  # seconds


@dataclass
class StandIn:
    """A gwc.target.Running."""

    process: subprocess.Popen[bytes]
    prefix: Path

    def output(self) -> str:
        log = self.prefix / "access.log"
        return log.read_text() if log.exists() else ""

    def errors(self) -> str:
        return (self.prefix / "error.log").read_text()

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)
        rmtree(self.prefix, ignore_errors=True)


def _nginx() -> str:
    """The binary, when all that it needs is there. Raises EngineMissingError."""
    binary = which("nginx") or which("nginx", path="/usr/sbin:/usr/local/sbin")
    if binary is None or not _MODULE.exists() or not any(any(Path("/").glob(name)) for name in _CJSON):
        raise EngineMissingError(_HOW)
    return binary


def launch(directory: Path, environ: Mapping[str, str]) -> StandIn:
    """Serves the files that gwc emitted into `directory`; returns when it answers."""
    binary = _nginx()
    prefix = Path(tempfile.mkdtemp(prefix="kong-standin-"))
    status = write(directory, prefix, environ)
    with (prefix / "stderr.log").open("wb") as errors:
        process = subprocess.Popen(
            [binary, "-p", str(prefix), "-c", str(prefix / "nginx.conf")],
            env={**os.environ, **environ},
            cwd=directory,
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )
    running = StandIn(process, prefix)
    if not _answers(status, process):
        log = (prefix / "stderr.log").read_text() + (running.errors() if (prefix / "error.log").exists() else "")
        running.stop()
        raise RuntimeError(f"the stand-in for Kong did not start: {log[-3000:]}")
    return running


def _answers(address: tuple[str, int], process: subprocess.Popen[bytes]) -> bool:
    deadline = time.monotonic() + _READY_WITHIN
    while time.monotonic() < deadline and process.poll() is None:
        connection = http.client.HTTPConnection(*address, timeout=1)
        try:
            connection.request("GET", "/status/ready")
            if connection.getresponse().status == 200:
                return True
        except OSError:
            time.sleep(0.05)
        finally:
            connection.close()
    return False


class _Engine:
    """A gwc.target.Engine for the conformance scenarios; it verifies nothing."""

    def find(self, profile: str) -> Binary:
        return Binary(Path(_nginx()), "stand-in")

    def verify(self, binary: Binary, directory: Path, artifact: Artifact) -> tuple[Diagnostic, ...]:
        raise EngineMissingError("the stand-in cannot judge a kong.yml")

    def launch(self, binary: Binary, directory: Path, environ: Mapping[str, str]) -> StandIn:
        return launch(directory, environ)


ENGINE = _Engine()
