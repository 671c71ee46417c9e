"""What `gwc lint` is asked for, read from plain words without typer, whose import takes as long as linting a file.

Plain are words that leave no doubt. Whatever else there is, mistakes and `--help` before all, typer reads and answers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    if (found := plainly(words, _FLAGS, _SEVERAL, _ONE, _CHOICES)) is None:
        return None
    paths, said = found
    return Asked(paths, **said)


def plainly(
    words: Sequence[str],
    flags: Mapping[str, str],
    several: Mapping[str, str],
    one: Mapping[str, str],
    choices: Mapping[str, Sequence[str]],
) -> tuple[tuple[str, ...], dict[str, Any]] | None:
    """The words that are no options, and the options by the names that the tables give them; those without a name are
    left out. None where the words are not plain."""
    paths: list[str] = []
    said: dict[str, Any] = dict.fromkeys(several.values(), ())
    rest = iter(words)
    for word in rest:
        name, equals, value = word.partition("=")
        if not word.startswith("-") or word == "-":
            paths.append(word)
            continue
        if name in flags and not equals:
            said[flags[name]] = True
            continue
        if equals and not name.startswith("--"):
            return None  # the equals sign is part of the value then
        value = value if equals else next(rest, "")
        if name not in (*several, *one) or not value or value.startswith("-"):
            return None
        if value not in choices.get(name, (value,)):
            return None
        if name in several:
            said[several[name]] += (value,)
        else:
            said[one[name]] = value
    said.pop("", None)
    return None if "" in paths else (tuple(paths), said)
