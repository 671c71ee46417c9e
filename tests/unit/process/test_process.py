"""Gateways as child processes, tried with small Python programs in their place."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from gwc import process
from gwc.process import Command, GatewayProcess, chosen_binary
from gwc.target import EngineMissingError
from ports import free_port

SERVER = """
import http.server, os, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print("worker", child.pid, flush=True)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
    def log_message(self, *args): pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def _command(tmp_path: Path, program: str, port: int) -> Command:
    return Command(
        name="Gateway",
        arguments=[sys.executable, "-c", program, str(port)],
        directory=tmp_path,
        environ=dict(os.environ),
        ready=f"http://127.0.0.1:{port}/",
        redact=lambda text: text.replace("hunter2", "..."),
    )


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _gone(pid: int) -> bool:
    deadline = time.monotonic() + 5
    while _alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not _alive(pid)


def test_it_is_ready_when_it_answers_and_ends_with_its_workers(tmp_path: Path) -> None:
    running = GatewayProcess(_command(tmp_path, SERVER, free_port()))
    worker = int(running.output().split()[1])
    assert _alive(worker)
    running.stop()
    assert _gone(worker)
    assert running.output().startswith("worker")
    running.stop()


def test_workers_do_not_outlive_a_gateway_that_was_killed(tmp_path: Path) -> None:
    running = GatewayProcess(_command(tmp_path, SERVER, free_port()))
    worker = int(running.output().split()[1])
    running.send(signal.SIGKILL)
    assert running.wait(10)
    assert _alive(worker)
    running.stop()
    assert _gone(worker)


def test_an_early_end_is_told_in_redacted_words(tmp_path: Path) -> None:
    program = "import sys; sys.exit('the password is hunter2')"
    with pytest.raises(RuntimeError, match=r"Gateway ended while starting: the password is \.\.\."):
        GatewayProcess(_command(tmp_path, program, free_port()))


def test_one_that_never_answers_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "READY_TIMEOUT", 0.5)
    program = f"import os, time; open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    with pytest.raises(RuntimeError, match="not ready within"):
        GatewayProcess(_command(tmp_path, program, free_port()))
    assert not _alive(int((tmp_path / "pid").read_text()))


def test_one_that_ignores_the_request_to_end_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "STOP_TIMEOUT", 0.3)
    stubborn = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + SERVER
    running = GatewayProcess(_command(tmp_path, stubborn, free_port()))
    running.stop()
    assert running._process.poll() is not None


def test_a_variable_names_the_binary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GWC_SOMETHING", raising=False)
    assert chosen_binary("GWC_SOMETHING") is None
    monkeypatch.setenv("GWC_SOMETHING", sys.executable)
    assert chosen_binary("GWC_SOMETHING") == Path(sys.executable)
    monkeypatch.setenv("GWC_SOMETHING", str(tmp_path / "nowhere"))
    with pytest.raises(EngineMissingError, match="GWC_SOMETHING"):
        chosen_binary("GWC_SOMETHING")
