"""`gwc replay`: every format of log, damaged ones too, and what it says of a change."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import zstandard

from compiling import POLICIES
from gwc.cli.options import LogFormat
from gwc.replay.compare import MOST_NAMED, Seen
from gwc.replay.formats import FORMATS, LineError, detected
from gwc.report.replayed import people

START = 1_795_435_200.0


def line(at: float, **values: Any) -> str:
    """A line of gwc's log."""
    time = datetime.fromtimestamp(START + at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    usual = {
        "time": time, "request_id": "a" * 32, "trace_id": "b" * 32, "service": "notes", "route": "list",
        "method": "GET", "host": "api.example.com", "path": "/notes/v1/notes", "query": "", "client_ip": "192.0.2.1",
        "user": "ann", "keys": {}, "status": 200, "bytes": 1, "duration_ms": 12.0, "upstream_ms": 10.0, "attempts": 1,
        "cost": None, "cache": "", "limited_by": "", "shadowed_by": [], "problem": "",
    }  # fmt: skip
    return json.dumps({**usual, **values})


def gwc(*words: str, cwd: Path, stdin: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "gwc", "replay", "--now", "2026-11-23", "--against", "old", *words]
    return subprocess.run(command, cwd=cwd, input=stdin, capture_output=True, timeout=120, check=False)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Two versions of the example policies: the new one lets a user write only a few notes a minute."""
    shutil.copytree(POLICIES, tmp_path / "old")
    shutil.copytree(POLICIES, tmp_path / "policies")
    notes = tmp_path / "policies/notes.yaml"
    text = notes.read_text(encoding="utf-8")
    notes.write_text(text.replace("rate: 10/s, burst: 40", "rate: 3/min, burst: 3"), encoding="utf-8")
    return tmp_path


LOG = "\n".join(line(n, user=f"u{n % 2}", path="/notes/v1/changes", route="changes") for n in range(20)) + "\n"


def test_it_says_who_would_have_been_refused(project: Path) -> None:
    (project / "log").write_text(LOG)
    report = json.loads(gwc("log", "--format", "json", cwd=project).stdout)
    assert report["requests"] == 20
    refused = report["effects"]["newly refused"]
    assert (refused["requests"], refused["users"], refused["clients"]) == (14, 2, 1)
    assert refused["routes"] == {"notes/changes": 14}
    assert refused["worst_minute"] == {"at": "2026-11-23T12:00Z", "requests": 14, "of": 20}


def test_text_markdown_and_a_page(project: Path) -> None:
    (project / "log").write_text(LOG)
    text = gwc("log", cwd=project).stdout.decode()
    assert text.startswith(
        "20 requests replayed against old\n\nnewly refused: 14 requests (70.00%), 2 users, 1 clients\n"
    )
    assert "u0" not in text
    assert "u0" in gwc("log", "--show-users", cwd=project).stdout.decode()
    assert "| newly refused | 14 | 70.00% |" in gwc("log", "--format", "markdown", cwd=project).stdout.decode()
    page = gwc("log", "--format", "html", cwd=project).stdout.decode()
    assert page.startswith("<!doctype html>")
    assert '<rect class="part"' in page
    assert "http" not in page.replace("http://www.w3.org", "")


@pytest.mark.parametrize(
    "pack", [lambda data: data, gzip.compress, zstandard.ZstdCompressor().compress], ids=["plain", "gz", "zst"]
)
@pytest.mark.parametrize("standard_input", [True, False])
def test_packed_logs_and_standard_input(project: Path, pack: Any, standard_input: bool) -> None:
    data = pack(LOG.encode())
    (project / "log").write_bytes(data)
    done = gwc("-" if standard_input else "log", "--format", "json", cwd=project, stdin=data if standard_input else b"")
    assert json.loads(done.stdout)["requests"] == 20


def test_damaged_and_late_lines_are_counted(project: Path) -> None:
    lines = [line(0), "{", line(5), "\x00\xff", line(3), "", json.dumps({"time": 1}), line(6, keys=None)]
    (project / "log").write_bytes("\n".join(lines).encode("latin-1"))
    report = json.loads(gwc("log", "--format", "json", cwd=project).stdout)
    assert report["lines"] == {"read": 7, "damaged": 4, "late": 1}
    assert report["requests"] == 3


def test_a_log_that_is_none_is_a_mistake_of_usage(project: Path) -> None:
    (project / "log").write_text("nothing\nof\nthe kind\n")
    (project / "cut.gz").write_bytes(gzip.compress(LOG.encode())[:-20])
    assert gwc("log", cwd=project).returncode == 2
    assert gwc("cut.gz", cwd=project).returncode == 2
    assert gwc("none", cwd=project).returncode == 2
    (project / "empty").write_text("")
    assert gwc("empty", cwd=project).stdout.decode().startswith("0 requests replayed")


def test_what_did_not_change_is_not_different(project: Path) -> None:
    (project / "log").write_text("\n".join(line(n * 20) for n in range(10)))
    assert b"nothing would have been different" in gwc("log", cwd=project).stdout


COMBINED = '192.0.2.7 - ann [23/Nov/2026:12:00:01 +0000] "GET /notes/v1/notes?tag=x HTTP/1.1" 200 12 "-" "curl/8"'
ENVOY = json.dumps(
    {"start_time": "2026-11-23T12:00:01.250Z", "method": "GET", "path": "/notes/v1/notes?tag=x", "response_code": 200,
     "authority": "api.example.com", "downstream_remote_address": "192.0.2.7:4711", "duration": 12}
)  # fmt: skip
KONG = json.dumps(
    {"started_at": 1795435201250, "client_ip": "192.0.2.7", "request": {"method": "GET", "uri": "/notes/v1/notes?tag=x",
     "headers": {"host": "api.example.com"}}, "response": {"status": 200}, "latencies": {"proxy": 12}}
)  # fmt: skip


def test_the_command_line_names_every_format() -> None:
    assert [form.value for form in LogFormat] == list(FORMATS)


@pytest.mark.parametrize(("form", "text"), [("gwc", line(1)), ("combined", COMBINED), ("envoy", ENVOY), ("kong", KONG)])
def test_every_format_is_recognised(form: str, text: str) -> None:
    assert detected(text) == form
    entry = FORMATS[form](text)
    assert (entry.request.method, entry.request.path, int(entry.request.time)) == (
        "GET",
        "/notes/v1/notes",
        int(START) + 1,
    )
    assert entry.request.client_ip.startswith("192.0.2.")
    assert entry.answer.status == 200


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", "1", '"x"', '{"time": null}', "- - -", '{"request": 1}'])
def test_what_is_no_line_is_an_error_of_the_line(text: str) -> None:
    assert detected(text) is None
    for parse in FORMATS.values():
        with pytest.raises(LineError):
            parse(text)


def _kong(**values: Any) -> str:
    return json.dumps({**json.loads(KONG), **values})


HOSTILE = [
    *(("gwc", line(1, **{name: 5})) for name in ("method", "host", "path", "query", "client_ip", "user", "time")),
    *(("gwc", line(1, **{name: [1]})) for name in ("status", "cost", "upstream_ms", "attempts", "method", "keys")),
    *(("gwc", line(1, upstream_ms=value)) for value in (float("nan"), float("inf"), -1, 10**400)),
    *(("kong", _kong(started_at=value)) for value in (float("nan"), float("inf"), 1e300, -1, 10**400)),
    ("gwc", line(1, keys={"x-plan": [1]})),
    ("gwc", line(1, cost=0.5)),
    ("gwc", "[" * 200_000),
]


@pytest.mark.parametrize(("form", "text"), HOSTILE, ids=range(len(HOSTILE)))
def test_values_that_no_request_has_are_damage(form: str, text: str) -> None:
    with pytest.raises(LineError):
        FORMATS[form](text)


def test_so_many_users_are_not_counted_to_the_last() -> None:
    seen, few = Seen(), Seen()
    seen.users.update(map(str, range(MOST_NAMED)))
    few.users.update(map(str, range(MOST_NAMED - 1)))
    assert people(seen) == f"{MOST_NAMED} or more users, 0 clients"
    assert people(few) == f"{MOST_NAMED - 1} users, 0 clients"


def test_no_line_ends_a_replay(project: Path) -> None:
    odd = [line(2, **{name: "\ud800"}) for name in ("method", "host", "path", "query", "client_ip", "user")]
    log = [*LOG.splitlines(), *odd, line(3, user="\ud800", path="/notes/v1/changes")]
    (project / "log").write_text("\n".join((*log, *(text for _, text in HOSTILE))))
    for words in ([], ["--format", "json"], ["--format", "html", "--show-users"], ["--show-users"]):
        done = gwc("log", *words, cwd=project)
        assert (done.returncode, done.stderr) == (0, b"")
