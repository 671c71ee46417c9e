"""A page's commands in the order of the page, as one reader's session in one directory.

`<!-- session -->` above a console block: its commands run one after the other in one shell. `session: in the
background`: they run in a shell of their own that goes on. `session: FILE` above another block: the reader writes it
into that file.
"""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from docs.blocks import Block

BACKGROUND = "session: in the background"
MARK = "@@ end of a command "
PATIENCE = 120.0  # seconds until what runs in the background shows what the page shows


@dataclass(frozen=True, slots=True)
class Step:
    """A command and what the page shows of its output; or, of a file, nothing but its block.

    A command `may_fail` when the page asks for its exit code, or stands outside of a session.
    """

    block: Block
    command: str = ""
    shown: str = ""
    may_fail: bool = False

    @property
    def in_background(self) -> bool:
        return self.block.note == BACKGROUND

    @property
    def file(self) -> str:
        return "" if self.command else self.block.note.removeprefix("session: ")


def steps(blocks: Sequence[Block]) -> Iterator[Step]:
    """What a reader does, in order: types a command, or writes a file."""
    for block in blocks:
        if block.language != "console":
            yield Step(block)
            continue
        found = commands(block)
        assert found, f"{block}: a console block shows commands after `$ `"
        following = [command for command, _ in found[1:]] + [""]
        for (command, shown), after in zip(found, following, strict=True):
            yield Step(block, command, shown, after == "echo $?" or not block.note)


def commands(block: Block) -> list[tuple[str, str]]:
    """Each command with what the page shows of its output."""
    return re.findall(r"^\$ (.+)\n((?:(?!\$ ).*\n)*)", block.text, re.MULTILINE)


def pattern(shown: str) -> str:
    """`...` stands for anything on its line; on a line of its own for any lines."""
    escaped = re.escape(shown).replace(re.escape("...\n") + "$", ".*")
    return re.sub(r"^\\\.\\\.\\\.(\\\n)", r"(?:.*\n)*", escaped, flags=re.MULTILINE).replace(r"\.\.\.", ".*")


class Session:
    """One directory and one shell, which remembers what each command did to it."""

    def __init__(self, directory: Path, environ: Mapping[str, str], changes: Mapping[str, str]) -> None:
        """`changes` are texts of the page that have to be others here, such as ports."""
        self._directory, self._changes = directory, changes
        self._shell = subprocess.Popen(
            ["bash", "--norc"],
            cwd=directory,
            env=dict(environ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._background: list[int] = []
        self._code = 0  # of the command before: `echo $?` asks for it
        self._typed("set -m")  # what runs in the background is a group of its own, and hears Ctrl-C

    def prepare(self, command: str) -> None:
        """What the page takes for granted."""
        code, printed = self._typed(command)
        assert code == 0, printed

    def take(self, step: Step) -> None:
        """Raises AssertionError where the page shows something else, or a command fails."""
        if step.file:
            (self._directory / step.file).write_text(self._here(step.block.text), encoding="utf-8")
        elif step.in_background:
            self._start(step)
        else:
            self._code, got = self._typed(self._here(step.command))
            told = f"{step.block}\n$ {step.command}\n{got}"
            assert self._code == 0 or step.may_fail, told
            assert re.fullmatch(pattern(self._here(step.shown)), got.replace("\r", "")), told

    def end(self) -> None:
        """As Ctrl-C does in each terminal."""
        for group in self._background:
            self._typed(f"kill -INT -- -{group}; wait {group}")
        self._shell.communicate(timeout=30)

    def _here(self, text: str) -> str:
        for old, new in self._changes.items():
            text = text.replace(old, new)
        return text

    def _typed(self, command: str) -> tuple[int, str]:
        """The exit code and the output."""
        shell = self._shell
        assert shell.stdin is not None
        assert shell.stdout is not None
        shell.stdin.write(f"(exit {self._code})\n{{ {command}\n}} </dev/null\nprintf '\\n{MARK}%s\\n' $?\n")
        shell.stdin.flush()
        lines = []
        for line in shell.stdout:
            if line.startswith(MARK):
                printed = "".join(lines).removesuffix("\n")
                return int(line.removeprefix(MARK)), printed if printed.endswith(
                    "\n"
                ) or not printed else f"{printed}\n"
            lines.append(line)
        raise AssertionError(f"the shell ended: {command}")

    def _start(self, step: Step) -> None:
        """Returns when it has printed what the page shows."""
        log = self._directory / f".background-{len(self._background)}"
        code, group = self._typed(f"{{ {self._here(step.command)}\n}} >{log.name} 2>&1 & echo $!")
        assert code == 0
        self._background.append(int(group))
        wanted, end = pattern(self._here(step.shown)), time.monotonic() + PATIENCE
        while not re.fullmatch(wanted, printed := log.read_text(encoding="utf-8") if log.exists() else ""):
            assert time.monotonic() < end, f"{step.block}: {printed}"
            assert self._typed(f"kill -0 -- -{group}")[0] == 0, f"{step.block}: it ended: {printed}"
            time.sleep(0.1)


@contextmanager
def session(directory: Path, environ: Mapping[str, str], changes: Mapping[str, str]) -> Iterator[Session]:
    found = Session(directory, environ, changes)
    try:
        yield found
    finally:
        found.end()
