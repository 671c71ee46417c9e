"""The day at which waivers and suppressions are judged."""

from __future__ import annotations

from datetime import date

from gwc.cli.exits import CommandError, ExitCode


def parse_now(text: str | None) -> date:
    """`--now`, or today."""
    if text is None:
        return date.today()
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise CommandError(ExitCode.USAGE, f"--now {text!r} is not a date", "write it as 2026-11-23") from error
