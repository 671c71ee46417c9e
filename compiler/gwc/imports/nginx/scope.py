"""What holds at a place of NGINX's configuration: its own directives, and those that it inherits."""

from __future__ import annotations

import re
from dataclasses import dataclass

from gwc.imports.nginx.syntax import Directive
from gwc.imports.values import duration

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "M": 2592000, "y": 31536000}
_SIZES = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30}


@dataclass(frozen=True, slots=True)
class Scope:
    """Blocks from the outermost to the innermost. Looking a name up marks it as seen on every level."""

    blocks: tuple[Directive, ...]

    def below(self, block: Directive) -> Scope:
        return Scope((*self.blocks, block))

    def one(self, *names: str) -> Directive | None:
        """The directive that holds: the last of the innermost level that has it."""
        found = self.every(*names)
        return found[-1] if found else None

    def every(self, *names: str) -> list[Directive]:
        """Directives that add up on one level; a level that has any inherits none."""
        holding: list[Directive] = []
        for block in self.blocks:
            here = block.inner(*names)
            for one in here:
                one.seen = True
            holding = here or holding
        return holding

    def level(self, directive: Directive) -> int:
        """0 for the outermost block."""
        return next(index for index, block in enumerate(self.blocks) if directive in (block.block or []))

    def on(self, name: str) -> bool:
        found = self.one(name)
        return found is not None and found.first == "on"


def seconds(text: str) -> float | None:
    """`90`, `90s`, `1m30s`; None for what is no time."""
    if re.fullmatch(r"[0-9]{1,9}", text):
        return float(text)
    parts = re.findall(r"([0-9]{1,9})(ms|[smhdwMy])", text)
    if not parts or "".join(number + unit for number, unit in parts) != text.replace(" ", ""):
        return None
    return sum(int(number) * _UNITS[unit] for number, unit in parts)


def bytes_of(text: str) -> int | None:
    match = re.fullmatch(r"([0-9]{1,15})([kmg]?)", text.lower())
    return int(match[1]) * _SIZES[match[2]] if match else None


def time_of(directive: Directive) -> str | None:
    """The language's duration of a directive's first argument; None where that is none, or zero."""
    found = seconds(directive.first)
    return duration(found)[0] if found else None
