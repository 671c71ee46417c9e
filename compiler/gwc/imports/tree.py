"""YAML and JSON of other programs, with the place of every value.

More is allowed than in a policy: merge keys, tags (which are ignored), a JSON file's tabs, and many more values.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from gwc.composer import Composer, DocumentError, reject_unprintable
from gwc.diagnostics import Span
from gwc.document import MappingNode, Node, ScalarNode, SequenceNode, to_data
from gwc.imports.findings import Findings
from gwc.source import Source

_SURROGATES = re.compile(r"(?<!\\)((?:\\\\)*)\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")
_NOTHING = Span("", 1, 1, 1, 2)


class _Composer(Composer):
    most_nodes = 2_000_000
    deepest = 100  # schemas within schemas

    def _reject_tag(self, event: Any) -> None:
        """A tag says how a program reads a value; what the value is, its text says."""

    def _key(self, event: Any) -> str:
        return str(event.value) if getattr(event, "value", None) == "<<" else super()._key(event)

    def _mapping(self, start: Any, depth: int) -> MappingNode:
        node = super()._mapping(start, depth)
        if "<<" not in node.items:
            return node
        merged = node.items["<<"]
        bases = merged.items if isinstance(merged, SequenceNode) else (merged,)
        items, keys = {k: v for k, v in node.items.items() if k != "<<"}, dict(node.keys)
        for base in bases:
            if isinstance(base, MappingNode):
                items = {**base.items, **items}
                keys = {**base.keys, **keys}
        return MappingNode(items, keys, node.span)


@dataclass(frozen=True, slots=True)
class Word:
    """A place of the tree: its value, or None where the tree has nothing there. Never raises for a wrong type.

    Whatever is asked for by its key is `seen`; `unseen` tells what nobody asked for.
    """

    node: Node | None
    span: Span
    seen: set[int] = field(default_factory=set, compare=False, repr=False)

    def __getitem__(self, key: str) -> Word:
        if isinstance(self.node, MappingNode) and key in self.node.items:
            self.seen.add(id(self.node.items[key]))
            return self._child(self.node, key)
        return Word(None, self.span, self.seen)

    def _child(self, node: MappingNode, key: str) -> Word:
        child = node.items[key]
        return Word(child, child.span if isinstance(child, ScalarNode) else node.keys[key], self.seen)

    def mark(self) -> None:
        """Everything in it has been spoken of."""
        for _, child, _ in self.items():
            self.seen.add(id(child.node))
            child.mark()
        for child in self.each():
            child.mark()

    def unseen(self) -> Iterator[tuple[str, Word, Span]]:
        """Keys that nobody asked for, with their values and places; not what lies below such a key."""
        for key, child, span in self.items():
            if id(child.node) in self.seen:
                yield from child.unseen()
            elif child.there:
                yield key, child, span
        for child in self.each():
            yield from child.unseen()

    def at(self, path: str) -> Word:
        """`at("a.b")` is `["a"]["b"]`."""
        word = self
        for key in path.split("."):
            word = word[key]
        return word

    def first(self, *keys: str) -> Word:
        """The first of `keys` that is there."""
        return next((self[key] for key in keys if self[key].there), Word(None, self.span, self.seen))

    @property
    def there(self) -> bool:
        return self.node is not None and not (isinstance(self.node, ScalarNode) and self.node.value is None)

    @property
    def is_map(self) -> bool:
        return isinstance(self.node, MappingNode)

    @property
    def is_list(self) -> bool:
        return isinstance(self.node, SequenceNode)

    @property
    def value(self) -> Any:
        """A scalar's value; None for anything else."""
        return self.node.value if isinstance(self.node, ScalarNode) else None

    @property
    def text(self) -> str:
        """A text, or a number as text; empty for anything else."""
        value = self.value
        return value if isinstance(value, str) else str(value) if type(value) in (int, float) else ""

    @property
    def number(self) -> float | None:
        """A number, or a text that is one."""
        value = self.value
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            return None
        try:
            number = float(value)
        except (ValueError, OverflowError):
            return None
        return number if abs(number) < 1e15 else None

    @property
    def yes(self) -> bool:
        return self.value is True

    @property
    def no(self) -> bool:
        return self.value is False

    def items(self) -> Iterator[tuple[str, Word, Span]]:
        """Key, value, and the place of the key. Nothing is seen by that."""
        if isinstance(self.node, MappingNode):
            for key in self.node.items:
                yield key, self._child(self.node, key), self.node.keys[key]

    def each(self) -> Iterator[Word]:
        if isinstance(self.node, SequenceNode):
            for node in self.node.items:
                yield Word(node, _place(node), self.seen)

    def texts(self) -> list[str]:
        """The texts of a list, or the one text."""
        return [word.text for word in self.each() if word.text] if self.is_list else [self.text] if self.text else []

    @property
    def data(self) -> Any:
        return None if self.node is None else to_data(self.node)


def _place(node: Node) -> Span:
    """One line of a collection: a report underlines its head."""
    span = node.span
    if isinstance(node, ScalarNode) or span.end_line == span.line:
        return span
    first = next(iter(node.keys.values()), span) if isinstance(node, MappingNode) else span
    return first if first.line == span.line else Span(span.file, span.line, span.column, span.line, span.column + 1)


def read_tree(source: Source, findings: Findings) -> Word:
    """The root mapping of `source`. Raises ImportFailedError."""
    text = source.text
    if text.lstrip().startswith(("{", "[")):  # JSON: what YAML does not share with it
        text = _SURROGATES.sub(_character, text.replace("\t", " "))
    try:
        reject_unprintable(Source(source.name, text))
        root = _Composer(Source(source.name, text)).document()
    except DocumentError as fault:
        message = "this is not a mapping of keys to values" if fault.code == "GWC005" else fault.message
        raise findings.broken(fault.span, message, _hint(fault)) from fault
    return Word(root, root.span)


def _hint(fault: DocumentError) -> str:
    """The document's own hints speak of policies."""
    hints: Mapping[str, str] = {"GWC003": "", "GWC005": "", "GWC004": "import one document at a time"}
    return hints.get(fault.code, fault.hint)


def _character(found: re.Match[str]) -> str:
    high, low = int(found[2], 16), int(found[3], 16)
    return f"{found[1]}\\U{0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00):08x}"
