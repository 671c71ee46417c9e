"""Where the picture of a request's way puts its boxes: side by side, or below one another on a narrow screen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gwc.page.way import Stage

_LONGEST = 21
"""Characters that fit into a box at the picture's size of text."""


@dataclass(frozen=True, slots=True)
class Box:
    """A check at `x`, `y`, in the user units of the picture, as are all lengths here."""

    stage: Stage
    x: int
    y: int


@dataclass(frozen=True, slots=True)
class Layout:
    """`link` leads from a box to the next, `way` and `pill` to how it refuses, `answer` all the way back."""

    name: str
    width: int
    height: int
    box: tuple[int, int]
    link: str
    way: str
    pill: tuple[int, int]
    request: str
    client: tuple[int, int]
    answers: tuple[int, int]
    """Where these words stand."""
    answer: str
    hit: str
    """From the cache's box to the answer; in the coordinates of that box."""
    boxes: tuple[Box, ...]


def fitted(line: str) -> str:
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"


def wide(stages: Sequence[Stage]) -> Layout:
    """From left to right: refusals below, the answer above."""
    width, height, gap, left, top = 154, 96, 16, 66, 44
    boxes = tuple(Box(stage, left + index * (width + gap), top) for index, stage in enumerate(stages))
    right = boxes[-1].x + width // 2
    return Layout(
        name="wide",
        width=boxes[-1].x + width + 8,
        height=198,
        box=(width, height),
        link=f"M{width} {height // 2}h{gap - 1}",
        way=f"M{width // 2} {height}v20",
        pill=(width // 2 - 62, height + 24),
        request=f"M14 {top + height // 2}h{left - 15}",
        answers=(boxes[-1].x + 8, 34),
        client=(2, top + height // 2 + 22),
        answer=f"M{right} {top}V14H14v{top + height // 2 - 24}",
        hit=f"M{width // 2} 0v{14 - top + 1}",
        boxes=boxes,
    )


def narrow(stages: Sequence[Stage]) -> Layout:
    """From top to bottom: refusals to the right, the answer to the left."""
    width, height, gap, left, top = 204, 88, 16, 36, 46
    boxes = tuple(Box(stage, left, top + index * (height + gap)) for index, stage in enumerate(stages))
    bottom = boxes[-1].y + height // 2
    return Layout(
        name="narrow",
        width=392,
        height=boxes[-1].y + height + 8,
        box=(width, height),
        link=f"M{width // 2} {height}v{gap - 1}",
        way=f"M{width} {height // 2}h14",
        pill=(width + 18, height // 2 - 12),
        request=f"M{left + width // 2} 14v{top - 15}",
        answers=(22, 34),
        client=(left + width // 2 + 12, 24),
        answer=f"M{left} {bottom}H14V14h{left + width // 2 - 28}",
        hit=f"M0 {height // 2}h{14 - left + 1}",
        boxes=boxes,
    )
