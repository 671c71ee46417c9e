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
    span: Span | None = None

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
    rules: Sequence[Alert | Recording]


def document(groups: Sequence[Group], comments: Sequence[str] = ()) -> OutputFile:
    """A rule file: comments, then every group that has rules."""
    printed: list[tuple[str, Span | None]] = [(f"# {comment}", None) for comment in comments]
    printed += [("groups:" if any(group.rules for group in groups) else "groups: []", None)]
    for group in groups:
        if group.rules:
            printed += [(f"  - name: {scalar(group.name)}", None), ("    rules:", None)]
            printed += [(line, rule.span) for rule in group.rules for line in _lines(rule)]
    lines = {number: span for number, (_, span) in enumerate(printed, 1) if span is not None}
    return OutputFile("".join(f"{line}\n" for line, _ in printed), lines)


def _lines(rule: Alert | Recording) -> Iterator[str]:
    lead = "      - "
    for name, value in rule.fields():
        if isinstance(value, str):
            yield f"{lead}{name}: {scalar(value)}"
        elif value:
            yield f"{lead}{name}:"
            yield from (f"          {key}: {scalar(text)}" for key, text in value.items())
        lead = "        "


_PRINTABLE = re.compile(r"[ -~\xa0-\ud7ff\ue000-\ufefe\U00010000-\U0010ffff]*\Z")


def scalar(text: str) -> str:
    """A YAML scalar that is a string to every reader."""
    if _PRINTABLE.match(text) and "\u2028" not in text and "\u2029" not in text:
        return "'" + text.replace("'", "''") + "'"
    return '"' + "".join(_escaped(character) for character in text) + '"'


def _escaped(character: str) -> str:
    if " " <= character <= "~" and character not in '"\\':
        return character
    return f"\\U{ord(character):08x}"
