"""The fenced blocks of the documentation, each with the comment right above it that says how it is checked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
_FENCE = re.compile(
    r"(?:^<!-- (?P<note>.+?) -->\n)?^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Block:
    """`note` is the comment above the fence, or empty."""

    file: str
    line: int
    language: str
    note: str
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


def blocks(*languages: str) -> list[Block]:
    """Every block in one of `languages`, in all of the documentation."""
    return [block for path in pages() for block in _in(path) if block.language in languages]


def pages() -> list[Path]:
    """Those that people write. The rules' examples are run with the rules."""
    top = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")
    written = (page for page in sorted((REPOSITORY / "docs").rglob("*.md")) if page.parent.name != "rules")
    return [*(REPOSITORY / name for name in top), *written]


def _in(path: Path) -> Iterator[Block]:
    text = path.read_text(encoding="utf-8")
    name = path.relative_to(REPOSITORY).as_posix()
    for found in _FENCE.finditer(text):
        line = text.count("\n", 0, found.start("language")) + 1
        yield Block(name, line, found["language"], found["note"] or "", found["text"])
