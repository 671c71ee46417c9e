"""gwc's own output -> the policies that it was rendered from.

A target's files do not say everything that a policy says, or not in a way that could be read back; gateway.json, which
stands beside them, does. It is not believed: the policies made of it are compiled again, and every file in the
directory that then comes out differently is reported, line by line.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from difflib import SequenceMatcher
from pathlib import Path

from gwc.compile import compile_sources
from gwc.diagnostics import Report, Span
from gwc.discovery import load_targets
from gwc.imports.draft import Draft
from gwc.imports.findings import Findings
from gwc.imports.policies import draft_of
from gwc.imports.reading import read_file
from gwc.ir import Gateway
from gwc.record import NAME, Record, RecordError, read_record
from gwc.source import STDIN, Source, SourceError, display_name
from gwc.suggest import UnknownNameError

_MOST = 20
"""Differences of one file that are shown; who changed more has another file."""


def own_draft(form: str, path: str, findings: Findings) -> tuple[Draft, Record] | None:
    """The draft of `path`, where that is an output of the target `form`. Raises ImportFailedError."""
    place = Path(path).parent / NAME
    if path == STDIN or not place.is_file() or Path(path).name == NAME:
        return None
    source = read_file(str(place), findings)
    span = Span(source.name, 1, 1, 1, 2)
    try:
        record = read_record(source.text)
    except RecordError as error:
        hint = "compile again, or move it away to import the rest as anybody's configuration"
        raise findings.broken(span, str(error), hint) from error
    if record.target != form:
        return None
    return draft_of(record.gateway, span), record


def verify(files: dict[str, str], record: Record, path: str, findings: Findings) -> None:
    """Reports where the output of the policies in `files` is not what is in the directory of `path`."""
    gateway = _resolved(files)
    try:
        (installed,) = load_targets([record.target])
    except UnknownNameError:
        hint = "install the target, to have it checked"
        findings.assumed(Span(display_name(Path(path)), 1, 1, 1, 2), f"no target {record.target} is installed", hint)
        return
    artifact = installed.target.emit(gateway, record.profile)
    directory = Path(path).parent
    for name, output in sorted(artifact.files.items()):
        if not (directory / name).is_file():
            what = f"{name} is missing, which these policies render"
            findings.left_out(Span(display_name(directory / name), 1, 1, 1, 1), what, _HINT)
            continue
        for span, what in _differences(directory / name, output.text, findings):
            findings.left_out(span, what, _HINT)


_HINT = "what was changed by hand is not imported: say it in the policy"


def _resolved(files: dict[str, str]) -> Gateway:
    sources = [Source(name, text) for name, text in files.items() if name.endswith(".yaml")]
    gateway = compile_sources(
        sources, environment=None, now=date.min, report=Report(), read=lambda _, file: files[file]
    )
    assert gateway is not None, "what was settled is valid"
    return gateway


def _differences(place: Path, wanted: str, findings: Findings) -> Iterator[tuple[Span, str]]:
    try:
        found = read_file(str(place), findings)
    except SourceError as error:
        yield Span(display_name(place), 1, 1, 1, 1), str(error)
        return
    if found.text == wanted:
        return
    have, want = found.text.split("\n"), wanted.split("\n")
    matcher = SequenceMatcher(None, want, have, autojunk=False)
    changes = [one for one in matcher.get_opcodes() if one[0] != "equal"]
    for number, (kind, _, _, start, end) in enumerate(changes[: _MOST + 1]):
        line = min(start, len(have) - 1) + 1
        span = Span(found.name, line, 1, line, len(have[line - 1]) + 1)
        if number == _MOST:
            yield span, f"{len(changes) - _MOST} more places differ from what these policies render"
        elif kind == "delete":
            yield span, "something that these policies render is missing before this line"
        else:
            count = end - start
            lines = "this line is" if count == 1 else f"these {count} lines are"
            yield span, f"{lines} not what these policies render"
