"""The real binary: what it accepts, what it refuses, and how that is told."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gwc.diagnostics import Span
from gwc.target import Artifact, EngineMissingError, OutputFile
from gwc_nginx import TARGET
from gwc_nginx.engine import NginxEngine, redact
from ports import free_port
from unit.nginx.gateways import gateway, route, write

PROFILES = ("njs", "plain")
RICH: dict[str, Any] = {
    "hosts": ["api.example.com"],
    "base_path": "/main",
    "upstream": {"endpoints": [{"url": "http://127.0.0.1:1"}, {"url": "http://name.invalid:2", "weight": 10}]},
    "retries": {"attempts": 2, "when": ["connect", "reset", 503], "per_try": "1s"},
    "headers": {"request": {"set": {"X-A": '$a;{}"\\'}, "remove": ["X-B"]}, "response": {"remove": ["X-C"]}},
    "routes": [
        route(name="a", path="/a/{x}/**", methods=["GET", "POST"]),
        route(name="b", path="/b", stream=True, timeouts={"request": "1s", "idle": "5s"}),
        route(name="c", path="/c", websocket=True),
    ],
}


@pytest.fixture(params=PROFILES)
def profile(request: pytest.FixtureRequest) -> str:
    try:
        TARGET.engine.find(request.param)
    except EngineMissingError as missing:
        pytest.skip(str(missing))
    return str(request.param)


@pytest.mark.live
def test_everything_rendered_is_accepted(profile: str, tmp_path: Path) -> None:
    artifact = TARGET.emit(gateway(RICH), profile)
    assert TARGET.engine.verify(TARGET.engine.find(profile), write(artifact, tmp_path), artifact) == ()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted({name.split("/")[0] for name in artifact.files})


@pytest.mark.live
def test_any_number_of_names_has_room(profile: str, tmp_path: Path) -> None:
    """More servers than the shared zone holds when nobody counts them, in few upstreams."""
    endpoints = [{"url": f"http://endpoint-{number}.a-name-of-common-length.internal:8080"} for number in range(250)]
    services = [
        {"service": f"s{number}", "base_path": f"/s{number}", "upstream": {"endpoints": endpoints}}
        for number in range(32)
    ]
    artifact = TARGET.emit(gateway(*services), profile)
    assert TARGET.engine.verify(TARGET.engine.find(profile), write(artifact, tmp_path), artifact) == ()


@pytest.mark.live
def test_a_complaint_comes_back_as_a_policy_line(profile: str, tmp_path: Path) -> None:
    artifact = TARGET.emit(gateway(), profile)
    public = artifact.files["public.conf"]
    span = Span("main.yaml", 7, 1, 7, 9)
    broken = OutputFile(public.text + 'pwned "s3cret";\n', {len(public.text.splitlines()) + 1: span})
    artifact = replace(artifact, files={**artifact.files, "public.conf": broken})
    (found,) = TARGET.engine.verify(TARGET.engine.find(profile), write(artifact, tmp_path), artifact)
    assert (found.code, found.span) == ("GWC603", span)
    assert "unknown directive" in found.message
    assert "s3cret" not in found.message


def test_nothing_quoted_and_no_path_is_repeated() -> None:
    complaint = 'nginx: [emerg] cannot load "hush" from /srv/private: (2: No such file) in /tmp/x/nginx.conf:3\n'
    assert redact(complaint) == 'cannot load "..." from ... (2: No such file)'


def test_a_binary_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GWC_NGINX", "/nonexistent/nginx")
    with pytest.raises(EngineMissingError, match="GWC_NGINX"):
        NginxEngine().find("njs")


def test_a_build_without_njs_will_not_do(monkeypatch: pytest.MonkeyPatch) -> None:
    system = shutil.which("nginx", path="/usr/sbin")
    if system is None:
        pytest.skip("no stock NGINX here")
    monkeypatch.setenv("GWC_NGINX", system)
    with pytest.raises(EngineMissingError, match="without njs"):
        NginxEngine().find("njs")


def test_a_build_without_totals_will_not_do_for_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GWC_NGINX", str(NginxEngine().find("njs").path))
    with pytest.raises(EngineMissingError, match="without http_stub_status_module"):
        NginxEngine().find("plain")


def served(profile: str, directory: Path, identity: dict[str, Any]) -> tuple[Artifact, int]:
    port, admin = free_port(), free_port()
    listen = {"http": f"127.0.0.1:{port}", "admin": f"127.0.0.1:{admin}"}
    artifact = TARGET.emit(gateway(listen=listen, identity=identity), profile)
    write(artifact, directory)
    return artifact, port


def status(port: int, path: str) -> int:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


@pytest.mark.live
def test_without_its_secret_nothing_is_served(tmp_path: Path) -> None:
    identity = {"gateway_secret": {"header": "X-Gateway-Secret", "secret": {"env": "GWC_TEST_UNSET"}}}
    _, port = served("njs", tmp_path, identity)
    engine = TARGET.engine
    for environ, expected in (({}, 500), ({"GWC_TEST_UNSET": "a\nb"}, 500), ({"GWC_TEST_UNSET": "proof"}, 502)):
        running = engine.launch(engine.find("njs"), tmp_path, environ)
        try:
            assert status(port, "/r") == expected
        finally:
            running.stop()


@pytest.mark.live
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_it_runs_as_an_ordinary_user(profile: str) -> None:
    """As the documentation says it: `nginx -p DIRECTORY/ -c nginx.conf`, from anywhere, in the foreground."""
    with tempfile.TemporaryDirectory(prefix="gwc-nobody-") as name:
        directory = Path(name)
        directory.chmod(0o777)
        _, port = served(profile, directory, {})
        binary = directory / "nginx"
        shutil.copy(TARGET.engine.find(profile).path, binary)
        command = [binary, "-p", f"{directory}/", "-c", "nginx.conf"]
        process = subprocess.Popen(
            command, user="nobody", cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        try:
            assert eventually(process, port, "/nowhere") == 404
        finally:
            process.terminate()
            process.communicate(timeout=10)


def eventually(process: subprocess.Popen[str], port: int, path: str) -> int | None:
    for _ in range(100):
        try:
            return status(port, path)
        except urllib.error.URLError:
            assert process.poll() is None, process.stderr and process.stderr.read()
            time.sleep(0.05)
    return None
