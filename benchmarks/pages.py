"""docs/performance.md: each benchmark fills in the place between its own two marks."""

from __future__ import annotations

from pathlib import Path

PAGE = Path(__file__).resolve().parent.parent / "docs" / "performance.md"


def fill(begin: str, end: str, text: str) -> None:
    """Raises ValueError unless the page has the two marks once, in order."""
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(replaced(page, begin, end, text), encoding="utf-8")


def replaced(page: str, begin: str, end: str, text: str) -> str:
    """`page` with `text` between the two marks, which stay. Raises ValueError unless each is there once, in order."""
    before, _, rest = page.partition(begin)
    _, _, after = rest.partition(end)
    if page.count(begin) != 1 or page.count(end) != 1 or end in before:
        raise ValueError(f"the page must hold {begin} once and then {end} once")
    return f"{before}{begin}\n{text}\n{end}{after}"
