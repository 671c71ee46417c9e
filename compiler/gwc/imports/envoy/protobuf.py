"""What a protobuf message looks like in JSON or YAML: names in two spellings, durations, types of extensions."""

from __future__ import annotations

import re

from gwc.document import MappingNode, Node, SequenceNode
from gwc.imports.tree import Word
from gwc.imports.values import duration

_CAMEL = re.compile(r"[a-z]+[0-9]*([A-Z][a-z0-9]*)+")


def snake_case(word: Word) -> Word:
    """`routeConfig` as `route_config`, everywhere: both are the same field."""
    return Word(_renamed(word.node) if word.node is not None else None, word.span)


def _renamed(node: Node) -> Node:
    if isinstance(node, SequenceNode):
        return SequenceNode(tuple(_renamed(item) for item in node.items), node.span)
    if not isinstance(node, MappingNode):
        return node
    items = {_snake(key): _renamed(value) for key, value in node.items.items()}
    return MappingNode(items, {_snake(key): span for key, span in node.keys.items()}, node.span)


def _snake(key: str) -> str:
    return re.sub(r"(?<!^)([A-Z])", r"_\1", key).lower() if _CAMEL.fullmatch(key) else key


def seconds(word: Word) -> float | None:
    """`1.5s`; None for what is no duration."""
    match = re.fullmatch(r"([0-9]{1,12}(?:\.[0-9]{1,9})?)s", word.text)
    if match:
        return float(match[1])
    return word["seconds"].number


def time(word: Word) -> str | None:
    """The language's duration; None for none, and for zero, which is Envoy's word for never."""
    found = seconds(word)
    return duration(found)[0] if found and found > 0 else None


def kind(word: Word) -> str:
    """The last word of an extension's type: `HttpConnectionManager`, `LocalRateLimit`."""
    return word["@type"].text.rpartition(".")[2]


def config_of(extension: Word) -> Word:
    """`typed_config`, with an extension's wrapper taken off."""
    config = extension.first("typed_config", "config")
    return config["config"] if kind(config) == "FilterConfig" and config["config"].is_map else config


def exact_texts(matcher: Word) -> list[str] | None:
    """The texts of a string matcher: one, or the alternatives of `^(GET|POST)$`; None for anything else."""
    exact = matcher.first("exact", "exact_match")
    if exact.text:
        return [exact.text]
    regex = matcher.first("safe_regex", "safe_regex_match")["regex"].text
    match = re.fullmatch(r"\^?\(?(?:\?:)?([A-Z]+(?:\|[A-Z]+)*)\)?\$?", regex)
    return match[1].split("|") if match else None


def percent(word: Word) -> float | None:
    """`{numerator: 50, denominator: HUNDRED}` as a fraction of one."""
    value = word["default_value"] if word["default_value"].there else word
    number = value["numerator"].number
    whole = {"TEN_THOUSAND": 1e4, "MILLION": 1e6}.get(value["denominator"].text, 100.0)
    return None if number is None else number / whole
