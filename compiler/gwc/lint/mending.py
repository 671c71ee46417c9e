"""Fixes of lists, as text: an item taken out, an item put in. The rest of the file stays as its writer left it."""

from __future__ import annotations

from gwc.diagnostics import Edit, Fix, Span
from gwc.document import Document, MappingNode, Node, Path, SequenceNode, find


def without_item(document: Document, path: Path) -> Fix | None:
    """Takes the item at `path` out of its list; None where that cannot be done by deleting its text alone.

    The last item stays: an empty list has to be written differently, and is a decision.
    """
    items, _, found = find(document.root, path[:-1])
    index = path[-1]
    if not found or not isinstance(items, SequenceNode) or not isinstance(index, int):
        return None
    if len(items.items) < 2 or _shared(document.root):
        return None
    lines = document.source.text.split("\n")
    if _flow(items, lines):
        return _edit(_with_comma(items, index), "")
    span = items.items[index].span
    dash = lines[span.line - 1][: span.column - 1]
    behind = lines[span.end_line - 1][span.end_column - 1 :].lstrip()
    if dash.strip() != "-" or (behind and not behind.startswith("#")):
        return None
    whole = Span(span.file, span.line, 1, span.end_line, len(lines[span.end_line - 1]) + 1)
    return _edit(whole, "")


def _with_comma(items: SequenceNode, index: int) -> Span:
    """An item of `[a, b]` with the comma that parts it from its neighbour."""
    span = items.items[index].span
    if index:
        before = items.items[index - 1].span
        return Span(span.file, before.end_line, before.end_column, span.end_line, span.end_column)
    after = items.items[1].span
    return Span(span.file, span.line, span.column, after.line, after.column)


def with_item(document: Document, key: Span, text: str) -> Fix | None:
    """Puts the scalar `text` at the end of the list that the key at `key` holds."""
    items = _below(document.root, key)
    if not isinstance(items, SequenceNode) or not items.items or _shared(document.root):
        return None
    lines, last = document.source.text.split("\n"), items.items[-1].span
    end = Span(last.file, last.end_line, last.end_column, last.end_line, last.end_column)
    if _flow(items, lines):
        return _edit(end, f", {text}")
    before = lines[last.line - 1][: last.column - 1]
    return _edit(end, f"\n{before}{text}") if before.strip() == "-" else None


def _below(node: Node, key: Span) -> Node | None:
    if isinstance(node, MappingNode):
        for name, span in node.keys.items():
            if span == key and name in node.items:
                return node.items[name]
    children = node.items.values() if isinstance(node, MappingNode) else getattr(node, "items", ())
    return next((found for child in children if (found := _below(child, key)) is not None), None)


def _shared(root: Node) -> bool:
    """Whether an alias stands somewhere: its text is elsewhere, and a change there is one in two places."""
    seen: dict[int, Node] = {}  # with the nodes, so that none is gone and another in its place
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            return True
        seen[id(node)] = node
        waiting += node.items.values() if isinstance(node, MappingNode) else getattr(node, "items", ())
    return False


def _flow(items: SequenceNode, lines: list[str]) -> bool:
    return lines[items.span.line - 1][items.span.column - 1 : items.span.column] == "["


def _edit(span: Span, text: str) -> Fix:
    return Fix((Edit(span, text),))
