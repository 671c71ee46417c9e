"""`gwc diff --against live:...` as its users call it: from files that gateways gave away."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from live.gateways import VALUE, Rendered, rendered


@pytest.fixture
def dump(tmp_path: Path) -> Rendered:
    return rendered(tmp_path, "nginx", "njs")


def printed(one: Rendered) -> str:
    """As `nginx -T` prints the files that it reads."""
    names = ["nginx.conf", *(name for name in one.artifact.files if name.endswith(".conf") and name != "nginx.conf")]
    return "".join(f"# configuration file /etc/gwc/{name}:\n{one.artifact.files[name].text}\n" for name in names)


def gwc(one: Rendered, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gwc", "diff", "--now", "2026-11-23", "--policies", str(one.policies), *words]
    return subprocess.run(command, cwd=one.directory, capture_output=True, text=True, timeout=120, check=False)


def test_no_difference(dump: Rendered) -> None:
    (dump.directory / "dump").write_text(printed(dump), encoding="utf-8")
    done = gwc(dump, "--against", "live:dump", "--exit-code")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("not shown by nginx in this way: gwc.json, njs/")
    assert done.stdout.endswith("no difference between the policies and live:dump (nginx)\n")


@pytest.mark.parametrize("form", ["text", "json", "markdown", "github"])
def test_a_leaked_secret_is_found_and_not_repeated(dump: Rendered, form: str) -> None:
    text = printed(dump).replace('"X-Team" "assistant"', f'"X-Team" "{VALUE}"', 1)
    text = text.replace("location / {", f'add_header "X-Debug" "{VALUE}";\n    location / {{', 1)
    text = text.replace("default_type", f'map $http_x_key $who {{ "{VALUE}" mobile; }}\n default_type', 1)
    (dump.directory / "dump").write_text(text, encoding="utf-8")
    done = gwc(dump, "--against", "live:dump", "--fail-on", "changed", "--format", form)
    assert (done.returncode, done.stderr) == (11, "")
    assert "headers.request.set" in done.stdout
    assert VALUE not in done.stdout
    if form == "json":
        assert json.loads(done.stdout)["summary"] == {"extra": 2, "missing": 0, "changed": 1}


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--against", "live:nothing"], 4, "No such file"),
        (["--against", "live:http://127.0.0.1:1"], 4, "does not answer"),
        (["--against", "live:ftp://127.0.0.1"], 4, "neither http nor https"),
        (["--against", "live:x", "--traffic", "y"], 2, "--traffic needs policies on both sides"),
        (["--against", "live:x", "--fail-on", "breaking"], 2, "is no kind of difference"),
        (["--against", "live:x", "-t", "apache"], 2, "unknown target"),
    ],
)
def test_what_cannot_be_compared(dump: Rendered, words: list[str], code: int, said: str) -> None:
    done = gwc(dump, *words)
    assert done.returncode == code
    assert said in done.stderr
