"""What changed, for people, programs, a pull request's comment and its lines."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from gwc import __version__
from gwc.diagnostics import Span
from gwc.diff.change import Change, Level
from gwc.report.excerpt import printable
from gwc.report.github import command
from gwc.report.style import Style, plain

SCHEMA = 1
MARK = "<!-- gwc diff -->"
"""By which a bot finds its own comment again."""
MOST_SUBJECTS = 3
_ROLES = {Level.BREAKING: "error", Level.TIGHTENED: "warning", Level.LOOSENED: "warning"}
_SIGNS = {"breaking": "🔴", "tightened": "🟠", "loosened": "🟡", "added": "🟢", "neutral": "⚪"}


@dataclass(frozen=True, slots=True)
class Beside:
    """What is printed with the changes: unified diffs of rendered files by name, a replay in the same format, and the
    targets that were asked about: a change that reaches all of them does not say so.
    """

    files: Mapping[str, str] = field(default_factory=dict)
    traffic: str = ""
    targets: tuple[str, ...] = ()


_ALONE = Beside()


def summary(changes: Sequence[Change]) -> str:
    """`1 breaking, 2 neutral`; `no changes`."""
    counted = Counter(change.level for change in changes)
    return ", ".join(f"{counted[level]} {level}" for level in Level if counted[level]) or "no changes"


def as_text(changes: Sequence[Change], against: str, style: Style = plain, beside: Beside = _ALONE) -> str:
    lines = [line for change in changes for line in _entry(change, style, beside.targets)]
    said = "".join(f"{line}\n" for line in (*lines, f"{summary(changes)} against {printable(against)}"))
    return "\n".join((said, *(_printable(text) for text in beside.files.values()), *filter(None, [beside.traffic])))


def _printable(text: str) -> str:
    return "".join(f"{printable(line)}\n" for line in text.splitlines())


def _entry(change: Change, style: Style, targets: tuple[str, ...]) -> Iterator[str]:
    role = _ROLES.get(change.level, "hint")
    owners = f" ({', '.join(change.owners)})" if change.owners else ""
    yield f"{style(role, change.level.upper())} {printable(who(change))}{printable(owners)}: {printable(what(change))}"
    for span, word in ((change.old_span, "was"), (change.new_span, "now")):
        if span is not None:
            yield f"  {word} at {style('place', printable(str(span)))}"
    if change.inherited:
        yield f"  the platform's default changed: {_services(change)}"
    if change.targets and change.targets != targets:
        yield f"  on {', '.join(change.targets)} alone"
    yield ""


def _services(change: Change) -> str:
    number = len(change.services)
    return f"{number} service{'s' * (number != 1)} affected"


def who(change: Change) -> str:
    """`shop/items and 4 more`."""
    names = [str(subject) for subject in change.subjects]
    more = len(names) - MOST_SUBJECTS
    return ", ".join(names[:MOST_SUBJECTS]) + (f" and {more} more" if more > 0 else "")


def what(change: Change) -> str:
    """`timeouts.request 10s -> 5s`."""
    note = f" ({change.note})" if change.note else ""
    if change.old is not None and change.new is not None:
        return f"{change.field} {change.old} -> {change.new}{note}"
    sign, value = ("+", change.new) if change.old is None else ("-", change.old)
    return f"{change.field} {sign} {value}{note}"


def as_json(changes: Sequence[Change], against: str, beside: Beside = _ALONE) -> str:
    counted = Counter(change.level for change in changes)
    document = {
        "schema": SCHEMA,
        "gwc": __version__,
        "command": "diff",
        "against": against,
        "summary": {level.value: counted[level] for level in Level},
        "changes": [_object(change) for change in changes],
        "files": dict(beside.files),
        "traffic": json.loads(beside.traffic) if beside.traffic else None,
    }
    return json.dumps(document, indent=2) + "\n"


def _object(change: Change) -> dict[str, object]:
    return {
        "level": change.level.value,
        "field": change.field,
        "old": change.old,
        "new": change.new,
        "old_at": position(change.old_span),
        "new_at": position(change.new_span),
        "note": change.note,
        "inherited": change.inherited,
        "subjects": [{"service": s.service, "route": s.route, "owner": s.owner} for s in change.subjects],
        "targets": list(change.targets),
    }


def position(span: Span | None) -> dict[str, object] | None:
    return None if span is None else {"file": span.file, "line": span.line, "column": span.column}


def as_markdown(changes: Sequence[Change], against: str, beside: Beside = _ALONE) -> str:
    """One comment: the dangerous first, the rest folded away."""
    grave = [change for change in changes if change.level in _ROLES]
    rest = [change for change in changes if change.level not in _ROLES]
    parts = [MARK, f"### What clients will feel: {summary(changes)}", f"Against `{cell(against)}`."]
    parts += [_table(grave)] if grave else []
    if rest:
        parts.append(f"<details><summary>{summary(rest)}</summary>\n\n{_table(rest)}\n\n</details>")
    parts += [beside.traffic.rstrip("\n")] if beside.traffic else []
    parts += [_folded(name, text) for name, text in beside.files.items()]
    return "\n\n".join(parts) + "\n"


MOST_LINES = 200
"""Of one file in a comment, which has a bound of its own."""


def _folded(name: str, text: str) -> str:
    lines = text.splitlines()
    more = [f"... and {len(lines) - MOST_LINES} lines more"] if len(lines) > MOST_LINES else []
    from html import escape

    shown = "\n".join(escape(printable(line)) for line in (*lines[:MOST_LINES], *more))
    return f"<details><summary>{cell(name)}</summary>\n\n<pre>{shown}</pre>\n\n</details>"


MOST_ROWS = 100
"""Of one table in a comment; the changes are sorted, the dangerous first."""


def _table(changes: Sequence[Change]) -> str:
    left = len(changes) - MOST_ROWS
    more = [f"| | | and {left} more, which `gwc diff` lists | | |"] if left > 0 else []
    return "\n".join(("| | who | what | where | owner |", "|---|---|---|---|---|", *_rows(changes[:MOST_ROWS]), *more))


def _rows(changes: Sequence[Change]) -> list[str]:
    return [
        f"| {_SIGNS[change.level]} {change.level} | {cell(who(change))} | {cell(what(change))} | {_where(change)} | "
        f"{cell(', '.join(change.owners))} |"
        for change in changes
    ]


def _where(change: Change) -> str:
    span = change.new_span or change.old_span
    cause = f"<br>platform default: {_services(change)}" if change.inherited else ""
    return f"`{cell(f'{span.file}:{span.line}')}`{cause}" if span else cause


_MARKUP = str.maketrans({c: f"&#{ord(c)};" for c in "|<>&`*_[]@#"})


def cell(text: str) -> str:
    """A value of a policy must neither break the table nor mention anybody."""
    return printable(text).translate(_MARKUP)


def as_github(changes: Sequence[Change], against: str, beside: Beside = _ALONE) -> str:
    """Annotations at the new lines; what was taken away has none, and stands at the top."""
    lines = [command("notice", None, "gwc replay", beside.traffic)] if beside.traffic else []
    lines += [command(_ROLES.get(c.level, "notice"), c.new_span, f"gwc {c.level}", _said(c)) for c in changes]
    return (
        "".join(f"{line}\n" for line in lines)
        + command("notice", None, "gwc diff", f"{summary(changes)} against {against}")
        + "\n"
    )


def _said(change: Change) -> str:
    return f"{who(change)}: {what(change)}"
