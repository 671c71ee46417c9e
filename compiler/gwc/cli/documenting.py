"""From policies to the page about them, and where that goes."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from gwc.cli.exits import CommandError, ExitCode
from gwc.cli.job import Job
from gwc.cli.mistakes import told
from gwc.cli.output import replace_text
from gwc.cli.progress import progress
from gwc.compile import load_sources, tables
from gwc.counted import counted
from gwc.discovery import load_targets
from gwc.page.render import MARK, render
from gwc.page.view import View, view
from gwc.resolve import resolve

STDOUT = "-"
_HEAD = 4096
"""Bytes from the beginning of a page within which it says whose it is."""


def viewed(job: Job, environment: str | None, now: date, targets: Sequence[str]) -> View | None:
    """None after findings, which are in the job's report. What a target does not keep is none: the page shows it."""
    with told(), progress("reading the policies"):
        policies = load_sources(job.sources, environment=environment, report=job.report)
        if job.report.failed:
            return None
        gateway = resolve(policies, environment=environment, now=now, report=job.report)
    if gateway is None:
        return None
    promised = tables(gateway, load_targets(targets), job.report)
    return None if job.report.failed else view(gateway, policies, promised)


def publish(job: Job, output: str, source: str, made: View | None) -> ExitCode:
    """Nothing but the page goes to standard output when that is where it is wanted."""
    aside = sys.stderr if output == STDOUT else None
    if made is None:
        return job.publish(job.outcome, "nothing written", stream=aside)
    with progress("drawing the page"):
        page = render(made, source)
    if output == STDOUT:
        sys.stdout.write(page)
        return job.publish(ExitCode.OK, "", stream=aside)
    replace_text(Path(output), page)
    size = f"{len(page.encode('utf-8')) // 1024} KiB"
    what = f"{counted(len(made.gateway.services), 'service')}, {counted(made.routes, 'route')}"
    return job.publish(ExitCode.OK, f"{what} in {output}, {size}; open it in a browser")


def check_source(source: str | None) -> str:
    """Raises CommandError for what is no address of a line."""
    if source is None:
        return ""
    if not re.fullmatch(r"https?://[^\s{}]+(\{(file|line)\}[^\s{}]*){2}", source) or source.count("{file}") != 1:
        example = "https://git.example.com/gateway/blob/main/policies/{file}#L{line}"
        raise CommandError(
            ExitCode.USAGE, f"--source is no address with {{file}} and {{line}}: {source}", f"as in {example}"
        )
    return source


def check_output(output: str) -> None:
    """Raises CommandError where the page would take somebody else's place, or has none."""
    path = Path(output)
    if output == STDOUT:
        return
    if not path.parent.is_dir():
        raise CommandError(ExitCode.USAGE, f"{path.parent} is no directory", "make it, or name another file with -o")
    if path.exists() and not (path.is_file() and _is_page(path)):
        hint = "move it, or name another file with -o"
        raise CommandError(ExitCode.USAGE, f"{path} is in the way, and gwc docs did not write it", hint)


def _is_page(path: Path) -> bool:
    with path.open("rb") as file:
        return MARK.encode("utf-8") in file.read(_HEAD)
