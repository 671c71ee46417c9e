"""What is to be watched, as alert rules and as their text.

The rules of two services that guard the same way differ in words alone, so that their text is made once, with holes.
Words that no layer of quoting changes go straight into the holes. Others are quoted where they stand: that is how the
text with holes comes about in the first place, from characters that nobody writes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from typing import NamedTuple

from gwc.diagnostics import Span
from gwc.ir import Node
from gwc.observability.metrics import Family, named_in
from gwc.observability.rules import Alert, printed
from gwc.source import policy_name

_PLAIN = re.compile(r"[A-Za-z0-9 _./:,;@&#+*()|=!?\-\xa0-\u2027\u202a-\ud7ff]*\Z")
"""Means nothing to JSON, YAML, PromQL and Go's templates, each inside its quotes."""

_HOLES = "".join(map(chr, range(0xE000, 0xE040)))
_HOLE = re.compile(f"([{_HOLES[0]}-{_HOLES[-1]}])")
"""Private use: no text of ours has them, and they are printed as they are."""


class Case(NamedTuple):
    """`alerts(*settings, *words, place)` are the rules, and `place` tells where `leaf` of `node` was written.

    Words are only ever put into text, as they are. One that is empty is not there.
    """

    alerts: Callable[..., tuple[Alert, ...]]
    settings: tuple[object, ...]
    words: tuple[str, ...]
    node: Node
    leaf: str

    @property
    def span(self) -> Span:
        return self.node.provenance[self.leaf].span


def text(case: Case, served: frozenset[Family]) -> str:
    """The rules of `case` that a gateway with the families `served` can follow, as lines of a group."""
    alerts, settings, words, node, leaf = case
    span = node.provenance[leaf].span
    words = (*words, f"{_file(span.file)}:{span.line}")
    if not _PLAIN.match("".join(words)):
        return "".join(map(printed, _possible(alerts(*settings, *words), served)))
    return _template(alerts, settings, tuple(map(bool, words)), served).filled(words)


def names(case: Case, served: frozenset[Family]) -> tuple[frozenset[str], frozenset[str]]:
    """The names of the rules of `case` that are possible, and of those that are not."""
    template = _template(case.alerts, case.settings, (*map(bool, case.words), True), served)
    return template.possible, template.lost


@dataclass(frozen=True, slots=True)
class _Template:
    """Of `texts`, every second is a hole; `pick` gives the words that belong there."""

    texts: list[str]
    pick: Callable[[tuple[str, ...]], Sequence[str]]
    possible: frozenset[str]
    lost: frozenset[str]

    def filled(self, words: tuple[str, ...]) -> str:
        texts = self.texts.copy()
        texts[1::2] = self.pick(words)
        return "".join(texts)


@lru_cache(maxsize=1024)
def _template(
    alerts: Callable[..., tuple[Alert, ...]],
    settings: tuple[object, ...],
    shape: tuple[bool, ...],
    served: frozenset[Family],
) -> _Template:
    made = alerts(*settings, *(hole if word else "" for hole, word in zip(_HOLES, shape, strict=False)))
    kept = _possible(made, served)
    texts = _HOLE.split("".join(map(printed, kept)))
    lost = frozenset(alert.name for alert in made if alert not in kept)
    return _Template(texts, _picking(texts[1::2]), frozenset(alert.name for alert in kept), lost)


def _picking(holes: list[str]) -> Callable[[tuple[str, ...]], Sequence[str]]:
    order = [_HOLES.index(hole) for hole in holes]
    return itemgetter(*order) if len(order) > 1 else lambda words: [words[index] for index in order]


def _possible(alerts: Iterable[Alert], served: frozenset[Family]) -> list[Alert]:
    return [alert for alert in alerts if named_in(alert.expr) <= served]


_file = lru_cache(policy_name)  # all of a service is written in one file, and in the platform's
