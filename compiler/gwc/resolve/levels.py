"""Levels: platform defaults < service < route, field by field, remembering who decided what."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, TypeVar, cast

from gwc.document import Document, Path
from gwc.frozen import dataclass, field
from gwc.ir import Level, Origin

T = TypeVar("T")
_SAYS = {level: partial(Level, level) for level in Level}
"""For an origin that a layer keeps: were it to hold the layer, neither would go before somebody looks for cycles."""


@dataclass(frozen=True, slots=True)
class Layer:
    """The settings that one level wrote at `path` of its document."""

    level: Level
    document: Document
    path: Path
    settings: Any
    _known: dict[tuple[object, ...], Any] = field(default_factory=dict, init=False, compare=False, repr=False)
    """Origins and sub-layers by name: all routes of a service share those of the levels above them."""

    def get(self, name: str) -> Any:
        return getattr(self.settings, name)

    def origin(self, *name: str | int) -> Origin:
        if name not in self._known:
            self._known[name] = Origin.sought(_SAYS[self.level], partial(self.document.place, (*self.path, *name)))
        return cast(Origin, self._known[name])

    def key_origin(self, *name: str | int) -> Origin:
        return Origin.sought(_SAYS[self.level], partial(self.document.key_span, (*self.path, *name)))

    def inner(self, layers: Sequence[Layer], name: str) -> Section:
        """The section of `layers`, which end with this one: the levels above a layer are always the same."""
        if (Section, name) not in self._known:
            self._known[Section, name] = section(layers, name)
        return cast(Section, self._known[Section, name])

    def below(self, name: str) -> Layer:
        """The layer of a sub-mapping, which must be there."""
        if (Layer, name) not in self._known:
            self._known[Layer, name] = Layer(self.level, self.document, (*self.path, name), self.get(name))
        return cast(Layer, self._known[Layer, name])


@dataclass(frozen=True, slots=True)
class Section:
    """One section over all levels, the most general first. `off` is the `none` that no level after it undid."""

    layers: tuple[Layer, ...]
    off: Origin | None

    @property
    def written(self) -> bool:
        return bool(self.layers)

    def origin(self, home: Origin) -> Origin:
        """Who decided last: the most specific level that wrote it or switched it off; `home` where none did."""
        return self.off or (self.layers[-1].origin() if self.layers else home)


_NOTHING = Section((), None)


def section(layers: Sequence[Layer], name: str) -> Section:
    """The levels' settings of section `name`. A `none` forgets what more general levels wrote."""
    if not layers:
        return _NOTHING
    outer = layers[-2].inner(layers[:-1], name) if len(layers) > 1 else _NOTHING
    layer = layers[-1]
    value = layer.get(name)
    if value is None:
        return outer
    if value == "none":
        return Section((), layer.origin(name))
    return Section((*outer.layers, layer.below(name)), None)


def sub(of: Section, name: str) -> Section:
    """A mapping inside a section, such as retries.backoff."""
    return section(of.layers, name)


@dataclass(slots=True)
class Settling:
    """Collects the leaves of one IR node: values go to the caller, origins into `provenance`."""

    section: Section
    home: Origin
    provenance: dict[str, Origin] = field(default_factory=dict)

    def take(self, name: str, default: T, leaf: str | None = None) -> T:
        """The most specific value of `name`, or `default`; its origin is kept under `leaf` (`name` by default)."""
        for layer in reversed(self.section.layers):
            value = layer.get(name)
            if value is not None:
                self.provenance[leaf or name] = layer.origin(name)
                return cast(T, value)
        self.provenance[leaf or name] = self.home
        return default


def scalar(layers: Sequence[Layer], name: str, default: T, home: Origin) -> tuple[T, Origin]:
    """The most specific value of a plain key, such as max_body."""
    settling = Settling(Section(tuple(layers), None), home)
    value = settling.take(name, default)
    return value, settling.provenance[name]
