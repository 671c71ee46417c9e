"""A log through two Gateways, and the result in one of the formats: what `replay` and `diff --traffic` share."""

from __future__ import annotations

from collections.abc import Sequence

from gwc.cli.exits import CommandError, ExitCode
from gwc.cli.options import Log
from gwc.cli.progress import progress
from gwc.cli.rendering import caveats
from gwc.ir import Gateway
from gwc.replay.compare import Replay
from gwc.replay.reading import Counts, LogError, entries, opened
from gwc.report import replayed as report

_RENDER = {"text": report.as_text, "json": report.as_json, "markdown": report.as_markdown, "html": report.as_html}


def replayed(path: str, old: Gateway, new: Gateway, log: Log, form: str, against: str, targets: Sequence[str]) -> str:
    """Raises CommandError for a log that cannot be read. `targets` are asked where they part from the model."""
    parts = caveats(new, targets) if targets else ()
    counts, replay = Counts(), Replay(old, new, named=log.show_users)
    try:
        with opened(path) as text, progress("replaying"):
            replay.run(entries(text, log.format.value if log.format else None, counts, log.host))
    except LogError as error:
        raise CommandError(ExitCode.USAGE, str(error), "name an access log, and its --log-format") from error
    return _RENDER[form](replay.result, counts, against, parts)
