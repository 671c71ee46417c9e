"""Path templates and base paths."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import WithJsonSchema

from gwc.ir import PathTemplate, Segment, SegmentKind
from gwc.policy.types import FORM, from_text, shorten

_LITERAL = re.compile(r"[A-Za-z0-9._~!$&'()+,;=:@-]+\Z")
_PARAM = re.compile(r"\{([A-Za-z_][A-Za-z0-9_-]{0,62})\}\Z")


def parse_path(text: str) -> PathTemplate:
    """A path template; raises ValueError saying which segment is wrong and why."""
    if not text.startswith("/") or len(text) > 1000:
        raise ValueError(f"{shorten(text)!r} is not a path; it starts with / and has at most 1000 characters")
    parts = text[1:].split("/")
    segments = tuple(_segment(text, part, index == len(parts) - 1) for index, part in enumerate(parts))
    names = [s.text for s in segments if s.kind is SegmentKind.PARAM]
    if len(set(names)) < len(names):
        raise ValueError(f"{shorten(text)!r} names a parameter twice")
    return PathTemplate(text, segments)


def _segment(path: str, part: str, last: bool) -> Segment:
    if part == "**":
        if not last:
            raise ValueError(f"{shorten(path)!r}: ** matches any rest and stands at the end only")
        return Segment(SegmentKind.REST, "")
    if param := _PARAM.match(part):
        return Segment(SegmentKind.PARAM, param[1])
    if part == "" and last:
        return Segment(SegmentKind.LITERAL, "")
    if part in ("", ".", ".."):
        raise ValueError(f"{shorten(path)!r}: paths are normalised before matching, so {part or '//'!r} never matches")
    if not _LITERAL.match(part):
        raise ValueError(f"{shorten(path)!r}: the segment {shorten(part)!r} is neither plain text, {{param}} nor **")
    return Segment(SegmentKind.LITERAL, part)


Path = Annotated[PathTemplate, from_text(parse_path, FORM, "/v1/notes/{id}"), WithJsonSchema(
    {"type": "string", "pattern": "^/", "maxLength": 1000, "examples": ["/v1/notes/{id}", "/files/**"]}
)]  # fmt: skip


def _base_path(text: str) -> str:
    template = parse_path(text)
    if text.endswith("/") or any(s.kind is not SegmentKind.LITERAL for s in template.segments):
        raise ValueError(f"{shorten(text)!r} is not a base path such as /assistant (literal, no slash at the end)")
    return text


BasePath = Annotated[str, from_text(_base_path, FORM, "/assistant"), WithJsonSchema(
    {"type": "string", "pattern": "^/.*[^/]$", "examples": ["/assistant"]}
)]  # fmt: skip
