"""What `gwc lint` is asked for, read from plain words without typer, whose import takes as long as linting a file.

Plain are words that leave no doubt. Whatever else there is, mistakes and `--help` before all, typer reads and answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

FORMATS = ("text", "json", "github", "gitlab", "sarif", "junit")
SEVERITIES = ("warning", "error")


class Asked(NamedTuple):
    """The options of `gwc lint`, as they were written."""

    paths: tuple[str, ...] = ()
    format: str = "text"
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    fix: bool = False
    diff: bool = False
    fail_on: str = "warning"
    baseline: str | None = None
    write_baseline: str | None = None
    changed: str | None = None
    services: str | None = None
    env: str | None = None
    now: str | None = None


_FLAGS = {"--fix": "fix", "--diff": "diff", "--no-cache": ""}
_SEVERAL = {"--select": "select", "--ignore": "ignore"}
_ONE = {
    "--format": "format",
    "--fail-on": "fail_on",
    "--baseline": "baseline",
    "--write-baseline": "write_baseline",
    "--changed": "changed",
    "--services": "services",
    "--env": "env",
    "--now": "now",
}
_CHOICES = {"--format": FORMATS, "--fail-on": SEVERITIES}


def asked(words: Sequence[str]) -> Asked | None:
    """What the words behind `gwc lint` ask for; None where they are not plain."""
    paths: list[str] = []
    said: dict[str, Any] = {"select": (), "ignore": ()}
    rest = iter(words)
    for word in rest:
        name, equals, value = word.partition("=")
        if not word.startswith("-") or word == "-":
            paths.append(word)
            continue
        if name in _FLAGS and not equals:
            said[_FLAGS[name]] = True
            continue
        value = value if equals else next(rest, "")
        if name not in (*_SEVERAL, *_ONE) or not value or value.startswith("-"):
            return None
        if value not in _CHOICES.get(name, (value,)):
            return None
        if name in _SEVERAL:
            said[_SEVERAL[name]] += (value,)
        else:
            said[_ONE[name]] = value
    said.pop("", None)
    return None if "" in paths else Asked(tuple(paths), **said)
