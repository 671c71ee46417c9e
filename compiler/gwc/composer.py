"""The strict reader: events of libyaml -> nodes with positions. `gwc.document` says what is strict about it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import yaml
from yaml.error import Mark

from gwc.diagnostics import Related, Span
from gwc.document import MappingNode, Node, ScalarNode, SequenceNode
from gwc.plain import scalar
from gwc.source import Source

MAX_NODES = 200_000
"""Nodes of one document, every use of an alias counted anew: what an alias bomb runs into."""
MAX_DEPTH = 40

_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")  # what libyaml counts as the end of a line

_Event = Any  # yaml.Event; its published stubs lack the attributes of its subclasses


class DocumentError(Exception):
    """A fault of the text, where it stands."""

    def __init__(self, code: str, span: Span, message: str, hint: str = "", related: tuple[Related, ...] = ()) -> None:
        super().__init__(message)
        self.code, self.span, self.message, self.hint, self.related = code, span, message, hint, related


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
    deepest = MAX_DEPTH

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
        if depth > self.deepest:
            raise DocumentError("GWC006", self._span(event), f"nested more than {self.deepest} levels deep")

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
