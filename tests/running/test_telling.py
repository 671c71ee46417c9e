"""What a run prints: requests, and mistakes before anything has started."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from gwc.cli import run
from gwc.cli.running.watch import different, fingerprint
from gwc.report.requests import heading, places, request_line
from gwc.report.style import coloured
from ports import free_port
from testkit import gateway

SHOP = """\
apiVersion: gwc/v1
kind: Service
service: shop
upstream: {endpoints: [{url: "http://127.0.0.1:8000"}], concurrency: 4, breaker: {failures: 3, open: 5s}}
limits: [{per: ip, rate: 60/min, burst: 3}]
budget: {per: user, units: 10/hour}
routes: [{name: goods, path: /goods, methods: [GET]}]
"""
PLATFORM = """\
apiVersion: gwc/v1
kind: Platform
listen: {http: "127.0.0.1:8080"}
identity: {jwt: {issuer: "https://id.example.com/", audience: [shop], jwks: {url: "https://id.example.com/keys"}}}
concurrency: 9
defaults: {auth: {any_of: [jwt]}}
"""
ENTRY = {
    "time": "2026-11-23T08:00:00.123Z", "service": "shop", "route": "goods", "method": "GET", "path": "/goods",
    "client_ip": "127.0.0.1", "user": "alice", "status": 200, "duration_ms": 12, "cache": "HIT", "limited_by": "",
    "shadowed_by": [], "problem": "", "attempts": 1,
}  # fmt: skip


def test_a_request_is_one_aligned_line() -> None:
    row = request_line(ENTRY, {})
    assert row[8:].split() == ["200", "GET", "/goods", "shop/goods", "alice", "HIT", "12"]
    assert row.index("GET") == heading().index("request")
    assert row.index("alice") == heading().index("who")


@pytest.mark.parametrize(
    ("by", "line"),
    [("service/shop/0", 5), ("budget", 6), ("upstream.concurrency", 4), ("breaker", 4), ("concurrency", 5)],
)
def test_what_refused_it_is_told_with_its_line(by: str, line: int) -> None:
    known = places(gateway(SHOP, platform=PLATFORM))
    row = request_line({**ENTRY, "status": 429, "problem": "rate-limited", "limited_by": by}, known)
    file = "1.yaml" if by == "concurrency" else "0.yaml"
    assert row.endswith(f"rate-limited, by {by} ({file}:{line})")


def test_what_is_remarkable_is_told() -> None:
    row = request_line({**ENTRY, "status": 0, "attempts": 3, "shadowed_by": ["service/shop/0"], "user": ""}, {})
    assert "left" in row
    assert "127.0.0.1" in row
    assert row.endswith("shadow limit service/shop/0 would refuse, 3 tries")


def test_a_client_cannot_steer_the_terminal() -> None:
    row = request_line({**ENTRY, "path": "/\x1b[2Jgone\u202e"}, {})
    assert "\x1b" not in row
    assert "\u202e" not in row


def test_colours_are_those_of_the_status() -> None:
    assert request_line({**ENTRY, "status": 503}, {}, coloured).startswith("\x1b[1;31m")
    assert request_line(ENTRY, {}, coloured) != request_line({**ENTRY, "status": 404}, {}, coloured)


def test_only_another_content_is_a_change(tmp_path: Path) -> None:
    policies, keys = tmp_path / "policies", tmp_path / "keys.json"
    policies.mkdir()
    (policies / "shop.yaml").write_text("one", encoding="utf-8")
    keys.write_text("{}", encoding="utf-8")
    before = fingerprint(str(policies), [keys])
    (policies / "shop.yaml").touch()
    (policies / ".shop.yaml.swp").write_text("an editor's", encoding="utf-8")
    assert fingerprint(str(policies), [keys]) == before
    (policies / "more.yaml").write_text("two", encoding="utf-8")
    keys.unlink()
    assert different(before, fingerprint(str(policies), [keys])) == (str(keys), str(policies / "more.yaml"))
    (policies / "shop.yaml").unlink()
    (policies / "more.yaml").unlink()
    assert different(before, fingerprint(str(policies), [])) == (str(keys), str(policies / "shop.yaml"))


@pytest.fixture
def policies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("GWC_KONG", "GWC_ENVOY", "GWC_NGINX"):
        monkeypatch.delenv(name, raising=False)
    place = tmp_path / "policies"
    place.mkdir()
    platform = 'apiVersion: gwc/v1\nkind: Platform\nlisten: {http: "127.0.0.1:8080"}\ndefaults: {auth: none}\n'
    (place / "platform.yaml").write_text(platform, encoding="utf-8")
    shop = "apiVersion: gwc/v1\nkind: Service\nservice: shop\nupstream: http://127.0.0.1:8000\n"
    (place / "shop.yaml").write_text(f"{shop}routes: [{{name: goods, path: /goods, methods: [GET]}}]\n", "utf-8")
    return place


@pytest.mark.usefixtures("policies")
@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["-t", "envoi"], 2, "unknown target 'envoi'"),
        (["--policies", "-"], 2, "standard input cannot be watched"),
        (["--policies", "nowhere"], 2, "nowhere: No such file or directory"),
        (["--dev-user", "alice"], 2, "--dev-user needs --dev-secrets"),
        (["--port", "0"], 2, "--port"),
        (["--env", "nowhere"], 2, "unknown environment 'nowhere'"),
    ],
)
def test_mistakes_are_told_before_anything_starts(
    options: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["run", *options]) == code
    assert said in " ".join(capsys.readouterr().err.split())


@pytest.mark.usefixtures("policies")
def test_without_a_kong_another_gateway_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert run(["run", "-t", "kong"]) == 4
    assert "gwc run -t envoy" in capsys.readouterr().err


def test_a_policy_that_is_wrong_is_a_finding(policies: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (policies / "shop.yaml").write_text("kind: Service\n", encoding="utf-8")
    assert run(["run", "-t", "nginx"]) == 1
    assert "nothing is served; " in capsys.readouterr().out


def test_what_a_gateway_cannot_express_is_refused(policies: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (policies / "platform.yaml").read_text(encoding="utf-8")
    jwt = (
        'identity: {jwt: {issuer: "https://id.example.com/", audience: [a], jwks: {url: "https://id.example.com/k"}}}\n'
    )
    (policies / "platform.yaml").write_text(text + jwt, encoding="utf-8")
    assert run(["run", "-t", "nginx"]) == 3
    assert "cannot express auth.jwt.jwks_url" in capsys.readouterr().out


@pytest.mark.live
@pytest.mark.usefixtures("policies")
def test_a_port_that_somebody_has_is_an_environment_error(capsys: pytest.CaptureFixture[str]) -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        assert run(["run", "-t", "nginx", "--port", str(port)]) == 4
    err = capsys.readouterr().err
    assert f"port {port} for http (policies/platform.yaml:3) is in use" in err
    assert "--port" in err


@pytest.mark.live
@pytest.mark.usefixtures("policies")
@pytest.mark.parametrize("command", ["no-such-program --at all", "'unfinished", ""])
def test_a_service_that_cannot_start_is_a_usage_error(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    ports = ["--port", str(free_port()), "--admin-port", str(free_port())]
    assert run(["run", "-t", "nginx", *ports, "--with-service", command]) == 2
    assert "--with-service" in capsys.readouterr().err
