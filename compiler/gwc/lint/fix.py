"""Applying fixes: text for text, and never a policy that is not valid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate

from gwc.diagnostics import Diagnostic, Edit, Fix, Report
from gwc.document import parse
from gwc.policy.load import load_variants
from gwc.source import Source


def fixed(diagnostics: Sequence[Diagnostic], texts: Mapping[str, str]) -> dict[str, str]:
    """The texts that the findings' fixes change. Of two that touch the same place the first is applied."""
    changed: dict[str, str] = {}
    for file, text in texts.items():
        mended = _applied(text, _compatible([d.fix for d in diagnostics if d.fix and d.span.file == file]))
        if mended != text and _valid(Source(file, mended)):
            changed[file] = mended
    return changed


def _compatible(fixes: Sequence[Fix]) -> list[Edit]:
    """A fix is taken whole or not at all."""
    taken: list[Edit] = []
    for fix in dict.fromkeys(fixes):
        if not any(_touch(edit, other) for edit in fix.edits for other in taken):
            taken.extend(fix.edits)
    return taken


def _touch(first: Edit, second: Edit) -> bool:
    return (_begin(first) < _end(second) and _begin(second) < _end(first)) or _begin(first) == _begin(second)


def _begin(edit: Edit) -> tuple[int, int]:
    return edit.span.line, edit.span.column


def _end(edit: Edit) -> tuple[int, int]:
    return edit.span.end_line, edit.span.end_column


def _applied(text: str, edits: Sequence[Edit]) -> str:
    starts = [0, *accumulate(len(line) for line in text.splitlines(keepends=True))]
    for edit in sorted(edits, key=_begin, reverse=True):
        begin = starts[edit.span.line - 1] + edit.span.column - 1
        end = starts[edit.span.end_line - 1] + edit.span.end_column - 1
        text = _without_empty_line(text[:begin] + edit.text, text[end:], edit)
    return text


def _without_empty_line(before: str, after: str, edit: Edit) -> str:
    """What a removal leaves behind: no blanks at the end of a line, and no line of nothing."""
    if edit.text or not (after.startswith("\n") or not after):
        return before + after
    kept = before.rstrip(" \t")
    alone = not kept or kept.endswith("\n")
    return kept + (after[1:] if alone else after)


def _valid(source: Source) -> bool:
    report = Report()
    document = parse(source, report)
    return document is not None and load_variants(document, report) is not None
