"""A path against a template: where they part, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gwc.ir import PathTemplate, Segment, SegmentKind


def misfits(template: PathTemplate, segments: Sequence[str]) -> tuple[str, ...]:
    """Each place where the canonical path does not fit, from the left; empty when it matches. Segments count from 1."""
    return tuple(_misfits(template.segments, segments))


def _misfits(template: Sequence[Segment], segments: Sequence[str]) -> Iterator[str]:
    for number, wanted in enumerate(template, 1):
        if number > len(segments):
            yield f"the path ends before segment {number}, {_written(wanted)}"
            return
        given = segments[number - 1]
        if wanted.kind is SegmentKind.REST:
            return
        if wanted.kind is SegmentKind.PARAM and not given:
            yield f"segment {number} is empty where it has {_written(wanted)}"
        if wanted.kind is SegmentKind.LITERAL and wanted.text != given:
            yield f"segment {number} is `{given}` where it has {_written(wanted)}"
    if len(segments) > len(template):
        yield _longer(template, segments)


def _longer(template: Sequence[Segment], segments: Sequence[str]) -> str:
    if len(segments) == len(template) + 1 and not segments[-1]:
        return "a trailing slash counts"
    return f"the path goes on after segment {len(template)}"


def _written(segment: Segment) -> str:
    if segment.kind is SegmentKind.REST:
        return "`**`"
    return f"`{{{segment.text}}}`" if segment.kind is SegmentKind.PARAM else f"`{segment.text}`"
