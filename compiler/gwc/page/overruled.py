"""What a more specific level overruled: the values that would hold if it had said nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gwc.diagnostics import Span
from gwc.document import Document, MappingNode, Node, Path, ScalarNode, SequenceNode, find
from gwc.ir import Gateway, Level, Service
from gwc.page.effective import Value

LONGEST = 80
"""Characters of a value that does not hold anyway."""
_ORDER = (Level.DEFAULT, Level.PLATFORM, Level.SERVICE, Level.ROUTE)


@dataclass(frozen=True, slots=True)
class Overruled:
    level: Level
    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class Levels:
    """Where each level of one route writes its settings."""

    places: tuple[tuple[Level, Document, Path], ...]

    def below(self, value: Value) -> Iterator[Overruled]:
        """The most specific first."""
        if value.path is None:
            return
        for level, document, base in reversed(self.places):
            node = _written(document, base, value.path) if level in _general(value.origin.level) else None
            if node is not None:
                yield Overruled(level, _text(node), node.span)


def _general(level: Level) -> tuple[Level, ...]:
    """The levels that `level` overrules."""
    return _ORDER[: _ORDER.index(level)]


def levels_of(gateway: Gateway, service: Service, index: int, documents: Mapping[str, Document]) -> Levels:
    """Those of the service's route at `index`. `documents` are the policies, environment merged in, by file."""
    platform = documents[gateway.provenance["services"].span.file]
    own = documents[service.provenance["name"].span.file]
    return Levels(
        (
            (Level.PLATFORM, platform, ("defaults",)),
            (Level.SERVICE, own, ()),
            (Level.ROUTE, own, ("routes", index)),
        )
    )


def _written(document: Document, base: Path, path: Path) -> Node | None:
    node, _, whole = find(document.root, (*base, *path))
    if whole:
        return node
    section, _, there = find(document.root, (*base, path[0]))
    return section if there and isinstance(section, ScalarNode) else None  # `none` switches the whole section off


def _text(node: Node) -> str:
    text = _flow(node)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _flow(node: Node) -> str:
    """As a policy would have it on one line."""
    if isinstance(node, MappingNode):
        return f"{{{', '.join(f'{key}: {_flow(value)}' for key, value in node.items.items())}}}"
    if isinstance(node, SequenceNode):
        return f"[{', '.join(map(_flow, node.items))}]"
    return str(node.value).lower() if isinstance(node.value, bool) else str(node.value)
