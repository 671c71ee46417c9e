"""Mistakes on the command line, files that cannot be read, and readers who leave."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gwc import __version__
from gwc.cli.app import app
from gwc.cli.help import SECTIONS

from .conftest import PLATFORM, Gwc, Project

COMMAND = [sys.executable, "-m", "gwc"]


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["complie"], "Did you mean 'compile'?"),
        (["compile", "--formt", "text"], "--format"),
        (["compile", "--format", "xml"], "'xml' is not one of 'text', 'json'"),
        (["compile", "-t", "alhpa"], "did you mean `alpha`? known: alpha, beta, gamma"),
        (["verify", "-t", "zzz"], "known: alpha, beta, gamma"),
        (["support", "-t", "zzz"], "known: alpha, beta, gamma"),
        (["schema", "plattform"], "'plattform' is not one of"),
        (["compile", "--now", "tomorrow"], "--now 'tomorrow' is not a date"),
        (["compile", "--policies", "nowhere"], "nowhere: No such file or directory"),
        (["compile", "--policies", "empty"], "empty: the directory holds no policies (*.yaml, *.yml)"),
        (["compile", "stray"], "stray"),
    ],
)
def test_usage_errors_say_what_would_be_right(gwc: Gwc, project: Project, argv: list[str], said: str) -> None:
    (project.path / "empty").mkdir()
    result = gwc(*argv)
    assert (result.code, result.out) == (2, "")
    assert said in " ".join(result.err.split())


def test_help_and_version(gwc: Gwc) -> None:
    assert gwc("--version").out == f"gwc {__version__}\n"
    listing = gwc("--help")
    assert listing.code == 0
    listed = dict.fromkeys(re.findall(r"^  (\w+)  +\S", listing.out.partition("\nBegin:\n")[2], re.MULTILINE))
    assert list(listed) == [name for names in SECTIONS.values() for name in names]
    assert all(gwc(command, "--help").code == 0 for command in listed)
    assert gwc().code == 2


def test_every_command_has_its_place_in_the_help() -> None:
    commands = {command.name for command in app.registered_commands}
    assert commands == {name for names in SECTIONS.values() for name in names}


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["complie"], "Did you mean 'compile'"),
        (["lint", "--fromat", "json"], "--format"),
        (["run", "-t", "alhpa"], "did you mean `alpha`?"),
        (["compile", "--env", "prd"], "did you mean `prod`?"),
    ],
)
def test_a_mistyped_word_brings_the_right_one(gwc: Gwc, project: Project, argv: list[str], said: str) -> None:
    result = gwc(*argv)
    assert result.code == 2
    assert said in " ".join(result.err.split())


def test_a_policy_from_standard_input(gwc: Gwc, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(PLATFORM.encode())))
    assert gwc("compile", "--policies", "-").code == 0
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"kind: Platform\n---\nkind: Service\n")))
    result = gwc("compile", "--policies", "-")
    assert (result.code, result.out.startswith("-:2:1: error GWC004")) == (1, True)


def test_a_single_file(gwc: Gwc, project: Project) -> None:
    result = gwc("compile", "--policies", "policies/shop.yaml")
    assert (result.code, "no platform policy" in result.out) == (1, True)


def test_an_unreadable_build_directory(gwc: Gwc, project: Project) -> None:
    (project.build / "manifest.json").mkdir(parents=True)
    result = gwc("compile")
    assert (result.code, "build/manifest.json: Is a directory" in result.err) == (2, True)


@pytest.mark.usefixtures("project")
def test_a_reader_who_leaves_is_no_error_message() -> None:
    process = subprocess.Popen([*COMMAND, "schema"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.close()
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (141, b"")


def test_an_interrupt_ends_quietly(tmp_path: Path) -> None:
    fifo = tmp_path / "policies.yaml"
    os.mkfifo(fifo)
    process = subprocess.Popen([*COMMAND, "compile", "--policies", str(fifo)], stdout=-1, stderr=-1, cwd=tmp_path)
    with fifo.open("wb"):  # opens once gwc reads
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, b"", b"")


def test_a_terminal_without_unicode_is_no_reason_to_fail(project: Project) -> None:
    project.replace("shop.yaml", "owner: team-shop", "ownr: 'läden — 店'")
    environ = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([*COMMAND, "compile"], capture_output=True, env=environ, check=False)
    assert done.returncode == 1
    assert b"l\\xe4den \\u2014 \\u5e97" in done.stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_the_environments_fault() -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([*COMMAND, "schema"], stdout=full, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (4, b"gwc: error: No space left on device\n")


@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_a_terminal_gets_colour(project: Project, no_color: str, coloured: bool) -> None:
    project.replace("shop.yaml", "owner:", "ownr:")
    environ = {**os.environ, "TERM": "xterm", "NO_COLOR": no_color}
    ours, theirs = os.openpty()
    with subprocess.Popen([*COMMAND, "compile"], stdout=theirs, stderr=subprocess.PIPE, env=environ) as process:
        os.close(theirs)
        shown = os.read(ours, 4096)
        process.wait(60)
    os.close(ours)
    assert process.returncode == 1
    assert (b"\x1b[1;31merror\x1b[0m" in shown) is coloured
    assert b"ownr" in shown
