"""What `gwc diff` is asked for, read from plain words without typer, as `gwc.cli.asking` does for `gwc lint`.

Comparing with a running gateway, and replaying a log, takes so long that typer may read those.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from gwc.cli.asking import plainly

FORMATS = ("text", "json", "markdown", "github")
LIVE = "live:"
"""How `--against` begins for a running gateway."""


class AskedDiff(NamedTuple):
    """The options of `gwc diff`, as they were written, but for those of a replay."""

    against: str | None = None
    target: tuple[str, ...] = ()
    policies: str = "policies"
    env: str | None = None
    now: str | None = None
    format: str = "text"
    exit_code: bool = False
    fail_on: str | None = None

    @property
    def judges(self) -> bool:
        """Whether the exit code tells what was found."""
        return self.exit_code or self.fail_on is not None


_FLAGS = {"--exit-code": "exit_code"}
_SEVERAL = {"--target": "target", "-t": "target"}
_ONE = {
    "--against": "against",
    "--policies": "policies",
    "--env": "env",
    "--now": "now",
    "--format": "format",
    "--fail-on": "fail_on",
}
_CHOICES = {"--format": FORMATS}


def asked_diff(words: Sequence[str]) -> AskedDiff | None:
    """What the words behind `gwc diff` ask for; None where they are not plain."""
    paths, said = plainly(words, _FLAGS, _SEVERAL, _ONE, _CHOICES) or (("",), {})
    if paths:
        return None
    asked = AskedDiff(**said)
    return None if (asked.against or "").startswith(LIVE) else asked
