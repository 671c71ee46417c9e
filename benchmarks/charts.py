"""A chart for the page, as SVG: text and rectangles, readable on light and dark paper."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape

_ROW, _LABEL, _BAR, _VALUE, _TOP = 26, 240, 360, 100, 40
_STYLE = (
    "text{font:13px sans-serif;fill:#1f2328}.bar{fill:#3b6fb6}"
    "@media(prefers-color-scheme:dark){text{fill:#e6edf3}.bar{fill:#79a7e3}}"
)


def bars(title: str, unit: str, values: Sequence[tuple[str, float]]) -> str:
    """A horizontal bar for each labelled value, as long as it is large. Raises ValueError without a positive one."""
    most = max((value for _, value in values), default=0)
    if most <= 0:
        raise ValueError("a chart of nothing")
    width, height = _LABEL + _BAR + _VALUE, _TOP + _ROW * len(values)
    rows = "\n".join(_row(number, *value, most, unit) for number, value in enumerate(values))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n"
        f'<text x="0" y="20" font-weight="bold">{escape(title)}</text>\n{rows}\n</svg>\n'
    )


def _row(number: int, label: str, value: float, most: float, unit: str) -> str:
    top, length = _TOP + number * _ROW, value / most * _BAR
    return (
        f'<text x="{_LABEL - 8}" y="{top + 14}" text-anchor="end">{escape(label)}</text>'
        f'<rect class="bar" x="{_LABEL}" y="{top}" width="{length:.1f}" height="18"/>'
        f'<text x="{_LABEL + length + 6:.1f}" y="{top + 14}">{_short(value)} {escape(unit)}</text>'
    )


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 1 else f"{value:.2f}"
