"""Prometheus' rule files: alerts and recording rules, printed the same every time."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from gwc.diagnostics import Span
from gwc.target import OutputFile


@dataclass(frozen=True, slots=True)
class Alert:
    """Fires when `expr` gave a result for all of `wait`. `labels` and `annotations` are Go templates."""

    name: str
    expr: str
    wait: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]

    def fields(self) -> Iterator[tuple[str, str | Mapping[str, str]]]:
        yield from (("alert", self.name), ("expr", self.expr), ("for", self.wait))
        yield from (("labels", self.labels), ("annotations", self.annotations))


@dataclass(frozen=True, slots=True)
class Recording:
    """The series `metric` is the result of `expr`, with `labels` on top."""

    metric: str
    expr: str
    labels: Mapping[str, str] = field(default_factory=dict)
    span: Span | None = None

    def fields(self) -> Iterator[tuple[str, str | Mapping[str, str]]]:
        yield from (("record", self.metric), ("expr", self.expr), ("labels", self.labels))


@dataclass(frozen=True, slots=True)
class Group:
    """Rules that Prometheus evaluates one after the other. `name` is unique in a file."""

    name: str
    rules: Sequence[Recording]


def document(groups: Sequence[Group]) -> OutputFile:
    """A rule file of every group that has rules."""
    lines = [opening(any(group.rules for group in groups))]
    spans: dict[int, Span] = {}
    for group in groups:
        if group.rules:
            lines += heading(group.name).splitlines(keepends=True)
        for rule in group.rules:
            before = len(lines)
            lines += _lines(rule)
            if rule.span is not None:
                spans.update(dict.fromkeys(range(before + 1, len(lines) + 1), rule.span))
    return OutputFile("".join(lines), spans)


def opening(any_group: bool) -> str:
    """The first line of a rule file but for comments."""
    return "groups:\n" if any_group else "groups: []\n"


def heading(group: str) -> str:
    """The lines of a group before its rules."""
    return f"  - name: {scalar(group)}\n    rules:\n"


def printed(rule: Alert | Recording) -> str:
    """The lines of a rule in a group."""
    return "".join(_lines(rule))


def _lines(rule: Alert | Recording) -> Iterator[str]:
    lead = "      - "
    for name, value in rule.fields():
        if isinstance(value, str):
            yield f"{lead}{name}: {scalar(value)}\n"
        elif value:
            yield f"{lead}{name}:\n"
            yield from (f"          {key}: {scalar(text)}\n" for key, text in value.items())
        lead = "        "


_PRINTABLE = re.compile(r"[ -~\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\U00010000-\U0010ffff]*\Z")


def scalar(text: str) -> str:
    """A YAML scalar that is a string to every reader."""
    if _PRINTABLE.match(text):
        return "'" + text.replace("'", "''") + "'"
    return '"' + "".join(_escaped(character) for character in text) + '"'


def _escaped(character: str) -> str:
    if " " <= character <= "~" and character not in '"\\':
        return character
    return f"\\U{ord(character):08x}"
