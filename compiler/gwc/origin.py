"""Where a value of the Gateway was written, and who decided it. Part of `gwc.ir`, by whose name others know it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum

from gwc.diagnostics import Span


class Level(StrEnum):
    """Who decided a value, from the most general to the most specific."""

    DEFAULT = "default"
    PLATFORM = "platform"
    SERVICE = "service"
    ROUTE = "route"


class Origin:
    """Where a value was written. A built-in default has the span of the node that it completes.

    Few of a Gateway's origins are ever asked for, so one may be `sought` only then.
    """

    __slots__ = ("_level", "_seek_level", "_seek_span", "_span")
    _seek_level: Callable[[], Level]
    _seek_span: Callable[[], Span]

    def __init__(self, level: Level, span: Span) -> None:
        self._level: Level | None = level
        self._span: Span | None = span

    @classmethod
    def sought(cls, level: Callable[[], Level], span: Callable[[], Span]) -> Origin:
        origin = cls.__new__(cls)
        origin._level = origin._span = None
        origin._seek_level, origin._seek_span = level, span
        return origin

    @property
    def level(self) -> Level:
        if self._level is None:
            self._level = self._seek_level()
        return self._level

    @property
    def span(self) -> Span:
        if self._span is None:
            self._span = self._seek_span()
        return self._span

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Origin) and (self.level, self.span) == (other.level, other.span)

    def __hash__(self) -> int:
        return hash((self.level, self.span))

    def __repr__(self) -> str:
        return f"Origin({self.level!r}, {self.span!r})"


Provenance = Mapping[str, Origin]


class Origins(Mapping[str, Origin]):
    """A provenance that is made when somebody asks for any of it."""

    __slots__ = ("_found", "_seek")

    def __init__(self, seek: Callable[[], Provenance]) -> None:
        self._found: Provenance | None = None
        self._seek = seek

    def _all(self) -> Provenance:
        if self._found is None:
            self._found = self._seek()
        return self._found

    def __getitem__(self, leaf: str) -> Origin:
        return self._all()[leaf]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())
