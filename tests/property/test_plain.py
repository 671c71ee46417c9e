"""The quick reader against the strict one: whatever it reads, the strict one reads to the same data at the same places.

Texts are real policies and fragments of YAML, damaged at random: that is where two readers part. GWC_EXPLORE=1 makes
new ones, and many more.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from gwc import plain
from gwc.diagnostics import Report
from gwc.document import MappingNode, Node, SequenceNode, parse
from gwc.outline import outlined
from gwc.source import Source

ROOT = Path(__file__).resolve().parents[2]
POLICIES = sorted([*ROOT.glob("policies/*.yaml"), *ROOT.glob("tests/maximal/**/*.yaml")])
EXPLORING = "GWC_EXPLORE" in os.environ
ROUNDS = 200_000 if EXPLORING else 20_000
SEED = random.SystemRandom().randrange(2**32) if EXPLORING else 9

_PIECES = (
    *"abz019_-:#,[]{}\"'&*!|>%@?~.=<;()+$/\\ \n\t\r`^",
    "\n  ", "\n    ", "\n- ", "\n  - ", "- ", ": ", ":\n", " #", "# ", " # c\n", "a: b", "k:", "- k: v\n", "<<: ",
    "---\n", "...\n", "--- ", "null", "~", "true", "no", "0x1F", "0o17", "017", "1e3", ".5", "5.", "-1", "+1", "1_0",
    ".inf", "''",
    '""', "'it''s'", '"a\\n"', "[a, b]", "{a: b, c: [d]}", "[ ]", "{}", "{a: }", "[a, ]", "[a: b]",
    '{"a":1}', "http://a:1/b?c#d",
    "&x ", "*x", "!!str ", "|\n", ">-\n", "? ", "é", "\u2028", "\x85", "\xa0", "\ufeff", "\U0001f600", "%YAML 1.2\n",
    "  ",
    "-",
)  # fmt: skip


def whole(node: Node) -> Node:
    """All of a node that is made as far as somebody looks."""
    if isinstance(node, MappingNode):
        return MappingNode({key: whole(node.items[key]) for key in node.items}, dict(node.keys), node.span)
    if isinstance(node, SequenceNode):
        assert [node.items[index] for index in range(-len(node.items), 0)] == [*node.items]
        return SequenceNode(tuple(map(whole, node.items)), node.span)
    return node


def agree(text: str) -> bool:
    """Whether the quick reader took it. Equal, in the order of keys and in types, which `repr` shows; and each key and
    value at the same place."""
    quick = plain.read(text)
    assert repr(quick) == repr(in_one_go(text)), text
    if quick is not None:
        source, report = Source("policies/a.yaml", text), Report()
        document = parse(source, report)
        assert document is not None, (text, report.diagnostics)
        assert repr(quick) == repr(document.data()), text
        assert repr(whole(outlined(source))) == repr(document.root), text
        for path in paths(document.root):
            assert outlined(source).written(path) == document.root.written(path), (text, path)
    return quick is not None


def paths(node: Node) -> Iterator[tuple[str | int, ...]]:
    """All that lead somewhere, and from each node one that leads nowhere."""
    items = dict(node.items) if isinstance(node, MappingNode) else {}
    items |= dict(enumerate(node.items)) if isinstance(node, SequenceNode) else {}
    yield from ((), ("nowhere",))
    for step, value in items.items():
        yield from ((step, *path) for path in paths(value))


def in_one_go(text: str) -> object:
    """What the quick reader makes of all lines together, and not of each key at the margin by itself."""
    try:
        tokens = plain._tokens(text)
        value, end = plain._block(tokens, 0, 0, 0)
    except plain._GiveUpError:
        return None
    whole = end == len(tokens) - 1 and type(value) is dict and not plain._strange(text)
    return value if whole else None


@pytest.mark.parametrize("path", POLICIES, ids=lambda path: path.name)
def test_real_policies_are_plain(path: Path) -> None:
    assert agree(path.read_text(encoding="utf-8"))


def damaged(text: str, chance: random.Random) -> str:
    for _ in range(chance.randint(1, 3)):
        start = chance.randrange(len(text) + 1)
        end = min(len(text), start + chance.choice((0, 0, 0, 1, 2, 5)))
        text = text[:start] + chance.choice(_PIECES) + text[end:]
    return text


def excerpt(lines: list[str], chance: random.Random) -> str:
    """A few lines: the readers have to part within them, or not at all."""
    start = chance.randrange(len(lines))
    return "\n".join(lines[start : start + chance.randint(1, 9)]) + "\n"


@pytest.fixture(params=[plain._LARGE, 30], ids=["", "items apart"])
def large(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists are taken item by item from so many characters on."""
    monkeypatch.setattr(plain, "_LARGE", request.param)


@pytest.mark.usefixtures("large")
def test_damaged_policies() -> None:
    chance = random.Random(SEED)
    texts = [path.read_text(encoding="utf-8").split("\n") for path in POLICIES]
    taken = sum(agree(damaged(excerpt(chance.choice(texts), chance), chance)) for _ in range(ROUNDS))
    assert taken > ROUNDS // 50, "it gives up at nearly everything, so nothing was compared"


def test_pieces_of_yaml() -> None:
    chance = random.Random(SEED + 1)
    texts = ("".join(chance.choices(_PIECES, k=chance.randint(1, 8))) for _ in range(ROUNDS * 2))
    taken = sum(agree(f"a: {text}" if chance.random() < 0.6 else text) for text in texts)
    assert taken > ROUNDS // 50


@pytest.mark.usefixtures("large")
def test_shaped_documents() -> None:
    """Keys, items and values at columns that are often right and sometimes not."""
    chance = random.Random(SEED + 2)
    taken = sum(agree(_shaped(chance)) for _ in range(ROUNDS))
    assert taken > ROUNDS // 20


def _shaped(chance: random.Random) -> str:
    column, lines = 0, []
    for number in range(chance.randint(1, 8)):
        column = max(0, column + chance.choice((-4, -2, -2, -1, 0, 0, 0, 0, 1, 2, 2)))
        head = chance.choice(("", "", "", "- ", "-   ", "- - "))
        key = chance.choice((f"k{number}:", f"k{number}:", f"k{number}:", "k:", ""))
        value = chance.choice(
            ("", "", " v", " 1", " [a, {b: c}]", " 'q'", " # c", " v # c", " {a: b}", " a: b", " |", "  ")
        )
        lines.append(" " * column * (number > 0) + head + key + value)
    return "\n".join(lines) + "\n" * chance.randint(0, 2)


@pytest.mark.parametrize(
    "text",
    [
        "", "a", "- a\n", "# c\n", "a: b\na: c\n", "a: &x b\n", "a: !!str b\n", "a: |\n  b\n", "a: b\n  c\n",
        "a: b\n c: d\n", "a:\n    b: c\n  d: e\n", "a:\tb\n", "a: b\r\n",
        "a: 'b\n", 'a: "\\n"\n', "a: [b\n", "a: [b]]\n", "a: {b: c, b: d}\n",
        "---\na: b\n", "a: b\n---\n", "a: b\n...\n", "<<: {a: b}\n", "a: *b\n", "? a\n", "a: b: c\n", "a: b:\n",
        "a: - b\n",
        "a: @b\n", "%YAML 1.2\n---\na: b\n", "a: \x85b\n", " a: b\n", "a: {b}\n", "a: [b: c]\n", "a: [b,]\n",
        "a: \"b\" c\n",
        "a: 'b''c'\n",
    ],
)  # fmt: skip
def test_what_is_not_plain_is_left_to_the_strict_reader(text: str) -> None:
    assert plain.read(text) is None


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("a:\n", {"a": None}), ("a: ~\nb: null\n", {"a": None, "b": None}), ("a: no\nb: 017\n", {"a": "no", "b": 17}),
        ("a:\n- b\n-\n- c: d\n  e: f\n", {"a": ["b", None, {"c": "d", "e": "f"}]}), ("a: 'x # y'\n", {"a": "x # y"}),
        ("a: x#y # z\n", {"a": "x#y"}), ('a: {b: [1, "2", c d], e: {}}\n', {"a": {"b": [1, "2", "c d"], "e": {}}}),
        ("a: http://b:1/c\n", {"a": "http://b:1/c"}), ("a: [http://b:1/c]\n", {"a": ["http://b:1/c"]}),
        ("a:   # c\n  # c\n  b: c\n\n\nd: e", {"a": {"b": "c"}, "d": "e"}), ("a: xé\n", {"a": "xé"}),
    ],
)  # fmt: skip
def test_what_is_plain_means_the_same(text: str, data: object) -> None:
    assert agree(text)
    assert plain.read(text) == data


def test_texts_that_could_reach_a_bound_are_left_to_the_strict_reader() -> None:
    assert plain.read("a:\n" + "- b\n" * (plain.MAX_TEXT // 4)) is None
    deep = "".join(f"{'  ' * level}k:\n" for level in range(plain.MAX_DEPTH + 2))
    assert plain.read(deep) is None
    assert plain.read("a: " + "[" * 30 + "]" * 30) is None


@pytest.mark.parametrize(("memory", "most"), [("_known", "_MOST_LINES"), ("_blocks", "_MOST_BLOCKS")])
def test_what_was_read_is_remembered_within_a_bound(memory: str, most: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain, memory, {})
    monkeypatch.setattr(plain, most, 3)
    assert plain.read("a: 1\nb: 2\nc: 3\nd: 4\n") == {"a": 1, "b": 2, "c": 3, "d": 4}
    assert 0 < len(getattr(plain, memory)) <= 3


def test_what_was_read_before_is_taken_whole() -> None:
    first = plain.read("a: 1\nlist:\n  - {b: 2}\n")
    again = plain.read("a: 2\nlist:\n  - {b: 2}\n")
    assert first is not None and again is not None and first["list"] is again["list"]
    long = "".join(f"  - name: item-{number}\n" for number in range(40))
    first, again = plain.read(f"list:\n{long}"), plain.read(f"list:\n{long}  - name: last\n")
    assert first is not None and again is not None and first["list"][0] is again["list"][0]
    assert len(again["list"]) == len(first["list"]) + 1
