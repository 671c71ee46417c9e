"""YAML text -> Document: plain data with the span of every key and value.

The strict profile of YAML 1.2 that the policy language uses: core-schema scalars where only `true` and `false` are
booleans, one document a file, no duplicate keys, no tags, no merge keys, aliases within a bound on the expanded size.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml
from yaml.error import Mark

from gwc.diagnostics import Related, Report, Span
from gwc.plain import scalar
from gwc.source import Source

MAX_NODES = 200_000
"""Nodes of one document, every use of an alias counted anew: what an alias bomb runs into."""
MAX_DEPTH = 40

_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")  # what libyaml counts as the end of a line

Path = tuple[str | int, ...]
_Event = Any  # yaml.Event; its published stubs lack the attributes of its subclasses


@dataclass(frozen=True, slots=True)
class ScalarNode:
    value: object
    span: Span


@dataclass(frozen=True, slots=True)
class SequenceNode:
    items: tuple[Node, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class MappingNode:
    """`keys` holds the span of each key."""

    items: Mapping[str, Node]
    keys: Mapping[str, Span]
    span: Span


Node = ScalarNode | SequenceNode | MappingNode


class Document:
    """A parsed file. The root is always a mapping.

    Few are ever asked where something stands, so the nodes, which know, may be `sought` only then.
    """

    __slots__ = ("_data", "_root", "_seek", "source")

    def __init__(self, source: Source, root: MappingNode) -> None:
        self.source = source
        self._root: MappingNode | None = root
        self._data: Mapping[str, Any] | None = None
        self._seek: Callable[[], MappingNode] | None = None

    @classmethod
    def sought(cls, source: Source, data: Mapping[str, Any], seek: Callable[[], MappingNode]) -> Document:
        """A document of which only the `data` is known; `seek` finds the nodes."""
        document = cls.__new__(cls)
        document.source, document._root, document._data, document._seek = source, None, data, seek
        return document

    @property
    def root(self) -> MappingNode:
        if self._root is None:
            assert self._seek is not None
            self._root = self._seek()
        return self._root

    @property
    def items(self) -> Mapping[str, object]:
        """What stands at the root: of each value only whether it is there, and whether it is the same as another."""
        return self.root.items if self._data is None else self._data

    def data(self) -> Mapping[str, object]:
        """Dicts, lists and scalars, which others share."""
        if self._data is not None:
            return self._data
        data = to_data(self.root)
        assert isinstance(data, dict)
        return data

    def span(self, path: Path) -> Span:
        """The span of the value at `path`; of the closest enclosing one where the path leads nowhere."""
        return find(self.root, path)[1]

    def key_span(self, path: Path) -> Span:
        """The span of the key at the end of `path`; of the value where that is no mapping's."""
        parent, _, _ = find(self.root, path[:-1])
        if isinstance(parent, MappingNode) and path and path[-1] in parent.keys:
            return parent.keys[str(path[-1])]
        return self.span(path)

    def place(self, path: Path) -> Span:
        """Where a reader looks for the value at `path`: a scalar itself, a collection at its key."""
        node, span, _ = find(self.root, path)
        return span if isinstance(node, ScalarNode) else self.key_span(path)

    def has(self, path: Path) -> bool:
        return find(self.root, path)[2] if self._data is None else _leads(self._data, path)


def _leads(data: Any, path: Path) -> bool:
    """Whether `path` leads somewhere in `data`."""
    for part in path:
        known = range(len(data)) if isinstance(data, list) else data if isinstance(data, dict) else ()
        if part not in known:
            return False
        data = data[part]
    return True


def find(root: Node, path: Path) -> tuple[Node, Span, bool]:
    """The node at `path` as far as it leads, that node's span, and whether it led all the way."""
    node = root
    for part in path:
        found = child(node, part)
        if found is None:
            return node, node.span, False
        node = found
    return node, node.span, True


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


class DocumentError(Exception):
    """A fault of the text, where it stands."""

    def __init__(self, code: str, span: Span, message: str, hint: str = "", related: tuple[Related, ...] = ()) -> None:
        super().__init__(message)
        self.code, self.span, self.message, self.hint, self.related = code, span, message, hint, related


def parse(source: Source, report: Report) -> Document | None:
    """Read `source`; a fault goes into `report` (GWC0xx) and gives None. One fault a file: YAML cannot resume."""
    try:
        reject_unprintable(source)
        return Document(source, Composer(source).document())
    except DocumentError as fault:
        report.error(fault.code, fault.span, fault.message, hint=fault.hint, related=fault.related)
        return None


def _mark_span(file: str, mark: Mark | None) -> Span:
    if mark is None:
        return Span(file, 1, 1, 1, 2)
    return Span(file, mark.line + 1, mark.column + 1, mark.line + 1, mark.column + 2)


def reject_unprintable(source: Source) -> None:
    # Done here and not by libyaml, whose error counts bytes and names no line.
    if found := _UNPRINTABLE.search(source.text):
        message = f"the character U+{ord(found[0]):04X} is not allowed in YAML"
        raise DocumentError(
            "GWC002", _offset_span(source, found.start()), message, "remove it, or write an escape in double quotes"
        )


def _offset_span(source: Source, offset: int) -> Span:
    lines = _BREAK.split(source.text[:offset])
    line, column = len(lines), len(lines[-1]) + 1
    return Span(source.name, line, column, line, column + 1)


def _events(source: Source) -> Iterator[_Event]:
    # The C parser differs from the Python one in speed and in the wording of errors, not in events.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    parser = loader(source.text)
    try:
        while True:
            event = parser.get_event()
            if event is None:
                return
            yield event
    except yaml.MarkedYAMLError as error:
        span = _mark_span(source.name, error.problem_mark or error.context_mark)
        raise DocumentError("GWC001", span, f"not valid YAML: {error.problem or error.context}") from error
    finally:
        parser.dispose()


class Composer:
    """Events -> nodes. Bounded in depth and in the number of nodes that aliases expand to. Raises DocumentError."""

    most_nodes = MAX_NODES

    def __init__(self, source: Source) -> None:
        self._file = source.name
        self._events = _events(source)
        self._anchors: dict[str, tuple[Node, int, int]] = {}  # the node, how many values it holds, how deep it is
        self._open: set[str] = set()
        self._count = 0

    def document(self) -> MappingNode:
        next(self._events)
        start = next(self._events)
        if isinstance(start, yaml.StreamEndEvent):
            raise DocumentError(
                "GWC003", Span(self._file, 1, 1, 1, 1), "the file is empty", "a policy starts with apiVersion: gwc/v1"
            )
        root = self._node(next(self._events), 0)
        next(self._events)
        following = next(self._events)
        if isinstance(following, yaml.DocumentStartEvent):
            raise DocumentError(
                "GWC004",
                self._span(following),
                "a second document in one file",
                "put each policy into a file of its own",
            )
        if not isinstance(root, MappingNode):
            raise DocumentError(
                "GWC005", root.span, "a policy is a mapping of keys to values", "start with apiVersion: gwc/v1"
            )
        return root

    def _span(self, event: _Event) -> Span:
        start, end = event.start_mark, event.end_mark
        return Span(self._file, start.line + 1, start.column + 1, end.line + 1, end.column + 1)

    def _node(self, event: _Event, depth: int) -> Node:
        self._grow(event, 1)
        self._descend(event, depth)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, depth)
        self._reject_tag(event)
        before, anchor = self._count, event.anchor
        if anchor:
            self._open.add(anchor)
        node = self._collection(event, depth)
        if anchor:
            self._open.discard(anchor)
            self._anchors[anchor] = (node, self._count - before + 1, _height(node))
        return node

    def _collection(self, event: _Event, depth: int) -> Node:
        if isinstance(event, yaml.ScalarEvent):
            return ScalarNode(scalar(event.value) if event.implicit[0] else event.value, self._span(event))
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(event, depth)
        return self._mapping(event, depth)

    def _grow(self, event: _Event, by: int) -> None:
        self._count += by
        if self._count > self.most_nodes:
            message = f"more than {self.most_nodes} values once aliases are expanded"
            raise DocumentError("GWC007", self._span(event), message)

    def _descend(self, event: _Event, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise DocumentError("GWC006", self._span(event), f"nested more than {MAX_DEPTH} levels deep")

    def _alias(self, event: _Event, depth: int) -> Node:
        if event.anchor in self._open:
            raise DocumentError("GWC008", self._span(event), f"the alias *{event.anchor} stands inside its own anchor")
        if event.anchor not in self._anchors:
            raise DocumentError("GWC009", self._span(event), f"the alias *{event.anchor} has no anchor before it")
        node, size, height = self._anchors[event.anchor]
        self._grow(event, size - 1)
        self._descend(event, depth + height)
        return node

    def _reject_tag(self, event: _Event) -> None:
        if event.tag not in (None, "!"):
            hint = "remove it; write text that looks like a number or boolean in quotes"
            raise DocumentError(
                "GWC010", self._span(event), f"the tag {event.tag} is not part of the policy language", hint
            )

    def _sequence(self, start: _Event, depth: int) -> SequenceNode:
        items: list[Node] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._node(event, depth + 1))
        return SequenceNode(tuple(items), self._until(start, event, items))

    def _mapping(self, start: _Event, depth: int) -> MappingNode:
        items: dict[str, Node] = {}
        keys: dict[str, Span] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key, span = self._key(event), self._span(event)
            if key in items:
                first = (Related(keys[key], "first written here"),)
                raise DocumentError("GWC011", span, f"duplicate key `{key}`", "keep one of the two", first)
            items[key], keys[key] = self._node(next(self._events), depth + 1), span
        return MappingNode(items, keys, self._until(start, event, list(items.values())))

    def _key(self, event: _Event) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            raise DocumentError("GWC012", self._span(event), "a key is a plain word, not an alias, a list or a mapping")
        self._reject_tag(event)
        if event.value == "<<" and event.implicit[0]:
            hint = "merge keys are not YAML 1.2; levels (platform defaults, service, route) do what they are used for"
            raise DocumentError(
                "GWC013", self._span(event), "the merge key `<<` is not part of the policy language", hint
            )
        return str(event.value)

    def _until(self, start: _Event, end: _Event, children: Sequence[Node]) -> Span:
        # A block collection's end mark lies on the next token, lines away; its last child's end is what a reader sees.
        span = self._span(start)
        flow = getattr(start, "flow_style", False)
        if flow or not children or children[-1].span.line < span.line:
            return Span(self._file, span.line, span.column, end.end_mark.line + 1, end.end_mark.column + 1)
        last = children[-1].span
        return Span(self._file, span.line, span.column, last.end_line, last.end_column)


def _height(node: Node) -> int:
    """Levels below `node`."""
    if isinstance(node, ScalarNode):
        return 0
    children = node.items.values() if isinstance(node, MappingNode) else node.items
    return 1 + max((_height(item) for item in children), default=-1)


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
