"""YAML text -> Document: plain data with the span of every key and value.

The strict profile of YAML 1.2 that the policy language uses: core-schema scalars where only `true` and `false` are
booleans, one document a file, no duplicate keys, no tags, no merge keys, aliases within a bound on the expanded size.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from gwc.diagnostics import Report, Span
from gwc.frozen import dataclass
from gwc.source import Source

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class ScalarNode:
    value: object
    span: Span


@dataclass(frozen=True, slots=True)
class SequenceNode:
    items: Sequence[Node]
    span: Span

    def written(self, path: Path) -> Span | None:
        """As `Document.written`, below this node."""
        return _written(self, path)


@dataclass(frozen=True, slots=True)
class MappingNode:
    """`keys` holds the span of each key."""

    items: Mapping[str, Node]
    keys: Mapping[str, Span]
    span: Span

    def written(self, path: Path) -> Span | None:
        """As `Document.written`, below this node."""
        return _written(self, path)


Node = ScalarNode | SequenceNode | MappingNode


if TYPE_CHECKING:

    class Reading(Protocol):
        """A source that can be read for its nodes."""

        def root(self) -> MappingNode: ...


class Document:
    """A parsed file. The root is always a mapping.

    Few are ever asked where something stands, so the nodes, which know, may be `sought` only then.
    """

    __slots__ = ("__weakref__", "_data", "_root", "_whole", "reading", "source")
    _whole: weakref.ref[Document] | None

    def __init__(self, source: Source, root: MappingNode) -> None:
        self.source = source
        self._root: MappingNode | None = root
        self._data: Mapping[str, Any] | None = None
        self.reading: Reading | None = None
        self._whole = None

    @classmethod
    def sought(cls, source: Source, data: Mapping[str, Any] | None, reading: Reading) -> Document:
        """A document of which at most the `data` is known; `reading` finds the nodes."""
        document = cls.__new__(cls)
        document.source, document._root, document._data, document.reading = source, None, data, reading
        document._whole = None
        return document

    def without_data(self) -> Document:
        """The same for whoever asks for places alone, and does not keep the data for that."""
        if self.reading is None:
            return self
        document = Document.sought(self.source, None, self.reading)
        document._whole = weakref.ref(self)
        return document

    @property
    def root(self) -> MappingNode:
        if self._root is None:
            assert self.reading is not None
            return self.reading.root()  # not kept here: where things stand is asked of few, or of each in its turn
        return self._root

    @property
    def items(self) -> Mapping[str, object]:
        """What stands at the root: of each value only whether it is there, and whether it is the same as another."""
        return self.root.items if self._data is None else self._data

    @property
    def known(self) -> Mapping[str, Any] | None:
        """The data, where they are known without the nodes. Equal ones mean the same."""
        return self._data

    def data(self) -> Mapping[str, object]:
        """Dicts, lists and scalars, which others share."""
        if self._data is not None:
            return self._data
        data = to_data(self.root)
        assert isinstance(data, dict)
        return data

    def span(self, path: Path) -> Span:
        """The span of the value at `path`; of the closest enclosing one where the path leads nowhere."""
        return _reached(self.root, path)[0].span

    def key_span(self, path: Path) -> Span:
        """The span of the key at the end of `path`; of the value where that is no mapping's."""
        parent, _ = _reached(self.root, path[:-1])
        if isinstance(parent, MappingNode) and path and path[-1] in parent.keys:
            return parent.keys[str(path[-1])]
        return self.span(path)

    def place(self, path: Path) -> Span:
        """Where a reader looks for the value at `path`: a scalar itself, a collection at its key."""
        node, _ = _reached(self.root, path)
        return node.span if isinstance(node, ScalarNode) else self.key_span(path)

    def written(self, path: Path) -> Span | None:
        """As `place`; None where the path leads nowhere."""
        return self.root.written(path)

    def has(self, path: Path) -> bool:
        whole = None if self._whole is None else self._whole()
        data = self._data if whole is None else whole._data
        return self.written(path) is not None if data is None else _leads(data, path)


def _leads(data: Any, path: Path) -> bool:
    """Whether `path` leads somewhere in `data`."""
    for part in path:
        known = range(len(data)) if isinstance(data, list) else data if isinstance(data, dict) else ()
        if part not in known:
            return False
        data = data[part]
    return True


def _written(node: MappingNode | SequenceNode, path: Path) -> Span | None:
    if not path:
        return node.span
    found, rest = child(node, path[0]), path[1:]
    if isinstance(found, ScalarNode):
        return None if rest else found.span
    if found is None:
        return None
    if rest:
        return found.written(rest)
    return node.keys[str(path[0])] if isinstance(node, MappingNode) else found.span


def find(root: Node, path: Path) -> tuple[Node, Span, bool]:
    """The node at `path` as far as it leads, that node's span, and whether it led all the way."""
    node, whole = _reached(root, path)
    return node, node.span, whole


def _reached(root: Node, path: Path) -> tuple[Node, bool]:
    node = root
    for part in path:
        found = child(node, part)
        if found is None:
            return node, False
        node = found
    return node, True


def child(node: Node, part: str | int) -> Node | None:
    """The value of a key or the item at an index; None where there is none."""
    if isinstance(node, MappingNode) and isinstance(part, str):
        return node.items.get(part)
    if isinstance(node, SequenceNode) and isinstance(part, int) and part < len(node.items):
        return node.items[part]
    return None


def to_data(node: Node) -> object:
    if isinstance(node, ScalarNode):
        return node.value
    if isinstance(node, SequenceNode):
        return [to_data(item) for item in node.items]
    return {key: to_data(value) for key, value in node.items.items()}


def parse(source: Source, report: Report) -> Document | None:
    """Read `source`; a fault goes into `report` (GWC0xx) and gives None. One fault a file: YAML cannot resume."""
    from gwc.composer import Composer, DocumentError, reject_unprintable  # with yaml, which most runs do without

    try:
        reject_unprintable(source)
        return Document(source, Composer(source).document())
    except DocumentError as fault:
        report.error(fault.code, fault.span, fault.message, hint=fault.hint, related=fault.related)
        return None


ALTERNATIVES = {"secret": {"env", "file"}, "jwks": {"file", "url"}}
"""Mappings that hold one of these keys: an overlay that names the other takes the first one's place."""


def merge(base: MappingNode, overlay: MappingNode) -> MappingNode:
    """`overlay` over `base`: maps merge, lists replace, `routes` merge by name. Spans follow the values."""
    items, keys = dict(base.items), dict(base.keys)
    for key, value in overlay.items.items():
        items[key] = _merged(key, items[key], value) if key in items else value
        keys[key] = overlay.keys[key]
    return MappingNode(items, keys, base.span)


def _merged(key: str, base: Node, overlay: Node) -> Node:
    if isinstance(base, MappingNode) and isinstance(overlay, MappingNode):
        return overlay if ALTERNATIVES.get(key, set()) & overlay.items.keys() else merge(base, overlay)
    if key == "routes" and isinstance(base, SequenceNode) and isinstance(overlay, SequenceNode):
        return _merged_routes(base, overlay)
    return overlay


def _merged_routes(base: SequenceNode, overlay: SequenceNode) -> SequenceNode:
    routes = list(base.items)
    where = {_route_name(route): index for index, route in reversed(list(enumerate(routes)))}
    for route in overlay.items:
        # Each name is merged once: a second route of that name in the overlay stays, to be found as a duplicate.
        index = where.pop(name, None) if (name := _route_name(route)) is not None else None
        if index is None:
            routes.append(route)
        else:
            routes[index] = _merged("", routes[index], route)
    return SequenceNode(tuple(routes), base.span)


def _route_name(route: Node) -> str | None:
    name = route.items.get("name") if isinstance(route, MappingNode) else None
    return name.value if isinstance(name, ScalarNode) and isinstance(name.value, str) else None
