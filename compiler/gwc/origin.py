"""Where a value of the Gateway was written, and who decided it. Part of `gwc.ir`, by whose name others know it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

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

    __slots__ = ("_level", "_span")

    def __init__(self, level: Level, span: Span) -> None:
        self._level: Level | None = level
        self._span: Span | None = span

    @staticmethod
    def sought(level: Callable[[], Level], span: Callable[[], Span]) -> Origin:
        return _Sought(level, span)

    @staticmethod
    def placed(place: Placing, path: tuple[str | int, ...]) -> Origin:
        """Of what stands at `path` of the place's document."""
        return _Placed(place, path)

    def _seek_level(self) -> Level:
        raise AssertionError("known from the beginning")

    def _seek_span(self) -> Span:
        raise AssertionError("known from the beginning")

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


class _Sought(Origin):
    __slots__ = ("_for_level", "_for_span")

    def __init__(self, level: Callable[[], Level], span: Callable[[], Span]) -> None:
        self._level = self._span = None
        self._for_level, self._for_span = level, span

    def _seek_level(self) -> Level:
        return self._for_level()

    def _seek_span(self) -> Span:
        return self._for_span()


class _Placed(Origin):
    __slots__ = ("_path", "_place")

    def __init__(self, place: Placing, path: tuple[str | int, ...]) -> None:
        self._level = self._span = None
        self._place, self._path = place, path

    def _seek_level(self) -> Level:
        return self._place.level_at(self._path)

    def _seek_span(self) -> Span:
        return self._place.span_at(self._path)


Provenance = Mapping[str, Origin]


if TYPE_CHECKING:

    class Placing(Protocol):
        """A node of a document."""

        def level_at(self, path: tuple[str | int, ...]) -> Level: ...
        def span_at(self, path: tuple[str | int, ...]) -> Span: ...


class Shared:
    """Stands for the provenances of several nodes, each of which is made for whoever asks for it."""

    __slots__ = ()

    @abstractmethod
    def of(self, node: Any) -> Provenance: ...
