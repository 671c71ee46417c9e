"""`gwc import`: where policies and report go, what is overwritten, and the exit codes."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

API = """\
openapi: 3.0.3
info: {title: Orders, version: "1"}
servers: [{url: "http://127.0.0.1:9000/v2"}]
x-limit: 5
paths:
  /orders/{id}: {get: {operationId: getOrder}}
"""


@pytest.fixture(autouse=True)
def _api(tmp_path: Path) -> None:
    (tmp_path / "api.yaml").write_text(API)


def test_without_a_directory_the_policies_are_printed_and_nothing_is_written(gwc, tmp_path: Path) -> None:
    printed = gwc("import", "openapi", "api.yaml")
    assert printed.code == 0
    assert printed.out.startswith("# --- platform.yaml\n")
    assert "# --- orders.yaml\n" in printed.out
    assert "api.yaml:4:1: warning GWC801 `x-limit`" in printed.err
    assert printed.err.endswith("1 service, 1 route imported; 3 warnings, 1 info\n")
    assert [path.name for path in tmp_path.iterdir()] == ["api.yaml"]


def test_what_a_configuration_includes_from_elsewhere_is_read_and_not_quoted(gwc, tmp_path: Path) -> None:
    """Somebody else's configuration may name any file that whoever imports it can read."""
    (tmp_path / "nginx").mkdir()
    (tmp_path / "shadow").write_text("root:hash:1::\n")
    (tmp_path / "nginx" / "a.conf").write_text("http { include ../shadow; }")
    broken = gwc("import", "nginx", "nginx/a.conf")
    assert broken.code == 1
    assert "shadow:1:1: error GWC800 a directive is not ended" in broken.out
    assert "hash" not in broken.out + broken.err
    (tmp_path / "shadow").write_text("gzip hash;\nserver { location / { proxy_pass http://u:1; } }")
    read = gwc("import", "nginx", "nginx/a.conf")
    assert "1 route imported" in read.err
    assert "`gzip` has no counterpart" in read.err
    assert "hash" not in read.err


def test_policies_are_written_and_compile(gwc) -> None:
    written = gwc("import", "openapi", "api.yaml", "-o", "policies")
    assert written.code == 0
    assert "imported into policies: orders.yaml, platform.yaml" in written.out
    assert gwc("compile").code == 0


def test_standard_input(gwc, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(API.encode())))
    printed = gwc("import", "openapi", "-")
    assert printed.code == 0
    assert "-:4:1: warning GWC801" in printed.err


def test_strict_fails_for_what_was_lost(gwc, tmp_path: Path) -> None:
    assert gwc("import", "openapi", "api.yaml", "--strict").code == 1
    (tmp_path / "api.yaml").write_text(API.replace("x-limit: 5\n", ""))
    assert gwc("import", "openapi", "api.yaml", "--strict").code == 0


def test_json(gwc) -> None:
    printed = gwc("import", "openapi", "api.yaml", "--format", "json")
    report = json.loads(printed.out)
    assert (report["command"], report["exit"], report["summary"]["warnings"]) == ("import", 0, 3)
    assert set(report["result"]["files"]) == {"platform.yaml", "orders.yaml"}
    assert report["diagnostics"][-1]["line"] == 4


def test_nothing_is_overwritten_without_force(gwc, tmp_path: Path) -> None:
    assert gwc("import", "openapi", "api.yaml", "-o", "policies").code == 0
    policy = tmp_path / "policies" / "orders.yaml"
    policy.write_text(policy.read_text() + "# mine\n")
    refused = gwc("import", "openapi", "api.yaml", "-o", "policies")
    assert refused.code == 2
    assert "orders.yaml: there already" in refused.err
    assert policy.read_text().endswith("# mine\n")
    assert gwc("import", "openapi", "api.yaml", "-o", "policies", "--force").code == 0
    assert not policy.read_text().endswith("# mine\n")


def test_a_platform_that_is_there_stays_and_the_report_says_so(gwc, tmp_path: Path) -> None:
    (tmp_path / "policies").mkdir()
    edge = tmp_path / "policies" / "edge.yaml"
    edge.write_text("apiVersion: gwc/v1\nkind: Platform\n")
    written = gwc("import", "openapi", "api.yaml", "-o", "policies")
    assert written.code == 0
    assert "GWC804 this platform policy stays as it is" in written.out
    assert sorted(path.name for path in (tmp_path / "policies").iterdir()) == ["edge.yaml", "orders.yaml"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("openapi", "nowhere.yaml"), 2, "No such file"),
        (("openapi", "."), 2, "Is a directory"),
        (("opnapi", "api.yaml"), 2, "opnapi"),
        (("openapi", "api.yaml", "--endpoint", "ftp://x"), 2, "--endpoint"),
        (("openapi", "api.yaml", "--service", "No Label"), 2, "not a DNS label"),
    ],
)
def test_mistakes(gwc, arguments: tuple[str, ...], code: int, words: str) -> None:
    failed = gwc("import", *arguments)
    assert failed.code == code
    assert words in failed.err


FIXTURES = Path(__file__).parent / "fixtures"


@pytest.mark.parametrize(
    ("kind", "file"), [("nginx", "nginx/nginx.conf"), ("kong", "kong.yaml"), ("envoy", "envoy.yaml")]
)
def test_what_an_engine_had_its_own_target_can_have_again(gwc, kind: str, file: str) -> None:
    """The engine itself judges it where it is installed, and gwc's own facts of it where not."""
    assert gwc("import", kind, str(FIXTURES / file), "-o", "policies").code == 0
    judged = gwc("verify", "-t", kind)
    assert judged.code == 0, judged
    assert f"{kind} (" in judged.out
