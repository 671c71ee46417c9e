"""Where things stand in a plain text (`gwc.plain`): its nodes, made as far as somebody looks.

Most looks are for one key of a policy, so nothing is kept but where each key and each item of a block begins and how
many lie below it. tests/property/test_plain.py holds the nodes against those of the strict reader.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from itertools import starmap
from re import Match
from typing import overload

from gwc import plain
from gwc.diagnostics import Span
from gwc.document import MappingNode, Node, Path, ScalarNode, SequenceNode
from gwc.source import Source

_SCALARS = (4, 5, 6)
"""The groups of `plain.FLOW` that are quoted words and plain ones."""


def outlined(source: Source) -> MappingNode:
    """The root of a text that `gwc.plain` takes; of any other, nonsense."""
    outline = _Outline(source)
    return _BlockMapping(outline, 0, len(outline.starts))


class _Outline:
    """The entries of all blocks, keys and items alike, in the order of the text.

    `starts` has the offset of each, `levels` how deep it is: what lies below an entry follows it, and is deeper.
    """

    __slots__ = ("file", "levels", "starts", "text")

    def __init__(self, source: Source) -> None:
        self.file, self.text = source.name, source.text
        starts, self.levels = plain.entries(source.text)
        self.starts = array("I", starts)

    def span(self, start: int, end: int) -> Span:
        """Of a stretch within one line."""
        line = self.text.count("\n", 0, start) + 1
        column = start - self.text.rfind("\n", 0, start)
        return Span(self.file, line, column, line, column + end - start)

    def block_span(self, first: int, end: int) -> Span:
        start = self.span(self.starts[first], self.starts[first])
        last = self.value(end - 1, end).span
        return Span(self.file, start.line, start.column, last.end_line, last.end_column)

    def entries(self, first: int, end: int) -> Iterator[tuple[int, int]]:
        """Of one block, without what lies below them; each with where that ends."""
        level = self.levels[first]
        while first != end:
            following = self.levels.find(level, first + 1, end)
            yield first, (following := end if following < 0 else following)
            first = following

    def key(self, first: int, end: int, key: str) -> tuple[int, int] | None:
        """That one of `entries`."""
        text, starts, find, level = self.text, self.starts, self.levels.find, self.levels[first]
        sought = f"{key}:"
        while not text.startswith(sought, starts[first]):
            first = find(level, first + 1, end)
            if first < 0:
                return None
        following = find(level, first + 1, end)
        return (first, end if following < 0 else following) if ":" not in key else None

    def item(self, first: int, end: int, index: int) -> tuple[int, int] | None:
        """That one of `entries`."""
        find, level = self.levels.find, self.levels[first]
        for _ in range(index):
            first = find(level, first + 1, end)
            if first < 0:
                return None
        following = find(level, first + 1, end)
        return first, end if following < 0 else following

    def written(self, first: int, end: int, path: Path) -> Span | None:
        """Where a reader looks for the value at `path` below a block; None where it leads nowhere."""
        for number, step in enumerate(path, 1):
            found = self.item(first, end, step) if isinstance(step, int) else self.key(first, end, step)
            if found is None or isinstance(step, int) is not self.is_item(first):
                return None
            entry, (first, end) = found[0], (found[0] + 1, found[1])
            if first == end:
                return self._written_inline(entry, path[number:])
            if number == len(path):
                return self.key_span(entry) if isinstance(step, str) else self.block_span(first, end)
        return self.block_span(first, end)

    def _written_inline(self, entry: int, path: Path) -> Span | None:
        if len(path) == 1 and (found := self._scalar_in(self._rest(entry), path[0])) is not None:
            return found
        node = self.value(entry, entry + 1)
        if isinstance(node, ScalarNode):
            return None if path else node.span
        if path:
            return node.written(path)
        return node.span if self.is_item(entry) else self.key_span(entry)

    def key_span(self, entry: int) -> Span:
        return self.span(self.starts[entry], self.key_end(entry))

    def key_end(self, entry: int) -> int:
        return self.text.index(":", self.starts[entry])

    def is_item(self, entry: int) -> bool:
        return self.text[self.starts[entry]] == "-"

    def value(self, entry: int, end: int) -> Node:
        """What the entry holds, and below it up to `end`."""
        below = entry + 1
        if below == end:
            return self._inline(self._rest(entry))
        return (_BlockSequence if self.is_item(below) else _BlockMapping)(self, below, end)

    def _rest(self, entry: int) -> int:
        """Where the key or the dash of the entry ends."""
        return (self.starts[entry] if self.is_item(entry) else self.key_end(entry)) + 1

    def _scalar_in(self, start: int, key: object) -> Span | None:
        """Where the value of a key stands that is a scalar, in a mapping of scalars on the line that goes on at
        `start`. None: there may be one all the same."""
        token = plain.FLOW.match(self.text, start)
        at = token.end() if token is not None and token[1] == "{" else None
        while at is not None and (name := plain.FLOW.match(self.text, at)) is not None and name[3] is not None:
            value = plain.FLOW.match(self.text, name.end())
            if value is None or value.lastindex not in _SCALARS:
                return None
            if name[3] == key:
                return self._scalar_span(value)
            comma = plain.FLOW.match(self.text, value.end())
            at = comma.end() if comma is not None and comma[2] is not None else None
        return None

    def _scalar_span(self, token: Match[str]) -> Span:
        """A quoted one with its quotes."""
        quoted = token[6] is None
        return self.span(token.start(token.lastindex or 0) - quoted, token.end())

    def _inline(self, start: int) -> Node:
        """The value on the line of its key or dash, which ends at `start`."""
        line = plain.REST.match(self.text, start)
        assert line is not None
        first, rest = line.start(1), line[1]
        if not rest or rest[0] == "#":
            return ScalarNode(None, self.span(start, start))
        if rest[0] in "[{\"'":
            return self._flow(first)[0]
        text = plain.unquoted(rest)
        return ScalarNode(plain.scalar(text), self.span(first, first + len(text)))

    def _flow(self, start: int) -> tuple[Node, int]:
        """The value of one line that begins at `start`, and where it ends."""
        token = plain.FLOW.match(self.text, start)
        assert token is not None
        bracket, _, _, double, single, word = token.groups()
        if bracket == "[":
            return self._flow_list(token.start(1), token.end())
        if bracket == "{":
            return self._flow_mapping(token.start(1), token.end())
        value = plain.scalar(word) if word is not None else single if double is None else double
        return ScalarNode(value, self._scalar_span(token)), token.end()

    def _flow_list(self, start: int, at: int) -> tuple[Node, int]:
        items: list[Node] = []
        while (end := plain.closed(self.text, at, "]")) is None:
            item, at = self._flow(plain.after_comma(self.text, at) if items else at)
            items.append(item)
        return SequenceNode(tuple(items), self.span(start, end)), end

    def _flow_mapping(self, start: int, at: int) -> tuple[Node, int]:
        items: dict[str, Node] = {}
        keys: dict[str, Span] = {}
        while (end := plain.closed(self.text, at, "}")) is None:
            token = plain.FLOW.match(self.text, plain.after_comma(self.text, at) if items else at)
            assert token is not None
            keys[token[3]] = self.span(token.start(3), token.end(3))
            items[token[3]], at = self._flow(token.end())
        return MappingNode(items, keys, self.span(start, end)), end


class _BlockMapping(MappingNode):
    """A mapping over lines: the entries from `first` to before `end`."""

    __slots__ = ("_end", "_first", "_of")
    _of: _Outline
    _first: int
    _end: int

    def __init__(self, of: _Outline, first: int, end: int) -> None:
        for name, value in (("_of", of), ("_first", first), ("_end", end)):
            object.__setattr__(self, name, value)

    @property
    def items(self) -> Mapping[str, Node]:
        return _Values(self._of, self._first, self._end)

    @property
    def keys(self) -> Mapping[str, Span]:
        return _Keys(self._of, self._first, self._end)

    @property
    def span(self) -> Span:
        return self._of.block_span(self._first, self._end)

    def written(self, path: Path) -> Span | None:
        return self._of.written(self._first, self._end, path)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, MappingNode) or self.span != other.span:
            return False
        return dict(self.items) == dict(other.items) and dict(self.keys) == dict(other.keys)

    __hash__ = None  # type: ignore[assignment]


class _BlockSequence(SequenceNode):
    """A list over lines."""

    __slots__ = ("_end", "_first", "_of")
    _of: _Outline
    _first: int
    _end: int

    def __init__(self, of: _Outline, first: int, end: int) -> None:
        for name, value in (("_of", of), ("_first", first), ("_end", end)):
            object.__setattr__(self, name, value)

    @property
    def items(self) -> Sequence[Node]:
        return _Items(self._of, self._first, self._end)

    @property
    def span(self) -> Span:
        return self._of.block_span(self._first, self._end)

    def written(self, path: Path) -> Span | None:
        return self._of.written(self._first, self._end, path)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SequenceNode) and self.span == other.span and [*self.items] == [*other.items]

    __hash__ = None  # type: ignore[assignment]


class _Block:
    __slots__ = ("_end", "_first", "_of")

    def __init__(self, of: _Outline, first: int, end: int) -> None:
        self._of, self._first, self._end = of, first, end

    def _entries(self) -> Iterator[tuple[int, int]]:
        return self._of.entries(self._first, self._end)

    def __len__(self) -> int:
        return sum(1 for _ in self._entries())


class _ByKey(_Block):
    __slots__ = ()

    def _entry(self, key: object) -> tuple[int, int]:
        found = self._of.key(self._first, self._end, key) if isinstance(key, str) else None
        if found is None:
            raise KeyError(key)
        return found

    def __iter__(self) -> Iterator[str]:
        of = self._of
        return (of.text[of.starts[entry] : of.key_end(entry)] for entry, _ in self._entries())


class _Values(_ByKey, Mapping[str, Node]):
    __slots__ = ()

    def __getitem__(self, key: str) -> Node:
        return self._of.value(*self._entry(key))


class _Keys(_ByKey, Mapping[str, Span]):
    __slots__ = ()

    def __getitem__(self, key: str) -> Span:
        return self._of.key_span(self._entry(key)[0])


class _Items(_Block, Sequence[Node]):
    __slots__ = ()

    @overload
    def __getitem__(self, index: int) -> Node: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Node]: ...
    def __getitem__(self, index: int | slice) -> Node | Sequence[Node]:
        if isinstance(index, slice):
            return [*self][index]
        return self._of.value(*[*self._entries()][index])

    def __iter__(self) -> Iterator[Node]:
        return starmap(self._of.value, self._entries())
