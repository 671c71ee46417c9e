"""The command line: one file a command, which parses flags, calls a stage, prints, and exits."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from io import TextIOWrapper


def run(argv: Sequence[str]) -> int:
    """Run `gwc` with `argv` and return its exit code. Never raises."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal without UTF-8 is no reason to fail
    try:
        if argv[:1] == ["lint"] and (code := _linted(argv[1:])) is not None:
            return code
        if argv[:1] == ["diff"] and (code := _compared(argv[1:])) is not None:
            return code
        from gwc.cli.app import app

        app(args=list(argv), prog_name="gwc")
    except SystemExit as end:
        return _code(end)
    except KeyboardInterrupt:
        return 130
    return 0


def _linted(words: Sequence[str]) -> int | None:
    """The exit code of `gwc lint`, whose words are nearly always plain; None where they are not."""
    from gwc.cli.asking import asked

    if (wanted := asked(words)) is None:
        return None
    from gwc.cli.guard import outcome
    from gwc.cli.linting import perform

    return int(outcome(lambda: perform(wanted)))


def _compared(words: Sequence[str]) -> int | None:
    """As `_linted`, of `gwc diff`."""
    from gwc.cli.asking_diff import asked_diff

    if (wanted := asked_diff(words)) is None:
        return None
    from gwc.cli.diffing import perform
    from gwc.cli.guard import outcome

    return int(outcome(lambda: perform(wanted)))


def _code(end: SystemExit) -> int:
    return end.code if isinstance(end.code, int) else 0 if end.code is None else 2
