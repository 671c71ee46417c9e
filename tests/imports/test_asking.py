"""`gwc init` on a terminal: it asks for what no flag says, and asks again for what cannot be."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
from pathlib import Path

PATIENCE = 60.0  # seconds without a word from the command


def conversation(directory: Path, answers: list[str], *flags: str) -> tuple[int, str]:
    """The exit code, and all that was printed. Each answer is typed when the command has asked."""
    ours, theirs = pty.openpty()
    environ = {**os.environ, "TERM": "dumb", "NO_COLOR": "1"}
    command = [sys.executable, "-m", "gwc", "init", *flags]
    process = subprocess.Popen(command, cwd=directory, env=environ, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    printed, left = "", list(answers)
    try:
        while (piece := _read(ours)) is not None:
            printed += piece
            if left and printed.endswith("]: "):
                os.write(ours, f"{left.pop(0)}\n".encode())
        assert left == [], printed
        return process.wait(PATIENCE), printed
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def _read(descriptor: int) -> str | None:
    ready, _, _ = select.select([descriptor], [], [], PATIENCE)
    assert ready, "the command neither asks nor ends"
    try:
        return os.read(descriptor, 65536).decode() or None
    except OSError:  # what Linux says of a terminal that nobody else has open
        return None


def test_answers_become_a_policy(tmp_path: Path) -> None:
    (tmp_path / "My Shop").mkdir()
    code, printed = conversation(tmp_path / "My Shop", ["", "", "-", "http://127.0.0.1:9000", "none"])
    assert code == 0, printed
    assert "Service [my-shop]: " in printed
    assert "Owner [team-my-shop]: " in printed
    text = (tmp_path / "My Shop" / "policies" / "my-shop.yaml").read_text()
    assert "http://127.0.0.1:9000" in text
    assert "auth: none" in text
    assert "gwc lint" in printed


def test_what_cannot_be_is_asked_again(tmp_path: Path) -> None:
    answers = ["Not A Label", "shop", "team-a", "nowhere.yaml", "-", "ftp://x", "http://127.0.0.1:1", "maybe", "jwt"]
    code, printed = conversation(tmp_path, answers)
    assert code == 0, printed
    for words in ("a DNS label, such as not-a-label", "no such file", "is not http://host:port", "one of api_key, jwt"):
        assert words in printed
    assert (tmp_path / "policies" / "keys" / "jwks.json").exists()


def test_flags_are_not_asked_for(tmp_path: Path) -> None:
    flags = ("--service", "shop", "--owner", "a", "--endpoint", "http://127.0.0.1:1", "--auth", "api_key")
    code, printed = conversation(tmp_path, ["-"], *flags)
    assert code == 0, printed
    assert "Service [" not in printed and "Owner [" not in printed


def test_routes_come_from_a_directory_of_code(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "main.py").write_text(
        "from fastapi import FastAPI\napp = FastAPI()\n@app.get('/things/{id}')\ndef thing(id): ...\n"
    )
    code, printed = conversation(tmp_path, ["shop", "", "app", "", ""])
    assert code == 0, printed
    assert '"/things/{id}"' in (tmp_path / "policies" / "shop.yaml").read_text()


def test_who_leaves_in_the_middle_has_written_nothing(tmp_path: Path) -> None:
    code, _ = conversation(tmp_path, ["shop", "\x04"])  # the end of the input
    assert code == 130
    assert not (tmp_path / "policies").exists()
