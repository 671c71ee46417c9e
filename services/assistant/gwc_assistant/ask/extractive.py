"""Answers without a model: the verses themselves, quoted with their references. No key, no network, no cost."""

from __future__ import annotations

from collections.abc import Sequence

from gwc_assistant.ask.context import citation
from gwc_assistant.domain import Answer, Passage

NAME = "extractive"
QUOTED = 3
"""Passages of an answer: the rest is less about the question than a reader has patience for."""

_NOTHING = "Nothing in the text was found for this question."


def answer(passages: Sequence[Passage], degraded: str = "") -> Answer:
    """Who names a passage wants that one, and not what shares words with the question."""
    wanted = [passage for passage in passages if passage.named] or passages
    quoted = tuple(citation(number, passage) for number, passage in enumerate(wanted[:QUOTED], 1))
    text = "\n\n".join(f"{one.reference} ({one.version}): “{one.text}” [{one.marker}]" for one in quoted)
    context = tuple(passage.reference for passage in passages)
    return Answer(text or _NOTHING, NAME, quoted, context, degraded)
