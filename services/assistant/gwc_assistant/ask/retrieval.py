"""The passages that a question is about: those it names, then those that share its words."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from gwc_assistant.corpus import Corpus, mentioned
from gwc_assistant.domain import Passage, Question

NAMED_VERSES = 40
"""Of each passage that a question names. A whole book is no context."""


class LexicalRetriever:
    """At most `passages` of them. The last question of a conversation is looked up, and not what came before it."""

    def __init__(self, corpus: Corpus, passages: int) -> None:
        self._corpus, self._passages = corpus, passages

    async def retrieve(self, question: Question) -> Sequence[Passage]:
        return await asyncio.to_thread(self._retrieve, question)

    def _retrieve(self, question: Question) -> Sequence[Passage]:
        spans = mentioned(question.text)[: self._passages]
        named = [
            replace(passage, named=True)
            for span in spans
            if (passage := self._corpus.passage(span, question.version, NAMED_VERSES)) is not None
        ]
        have = {verse.id for passage in named for verse in passage.verses}
        hits = self._corpus.search(question.text, question.version, self._passages + len(have))
        found = [
            Passage(hit.verse.reference, question.version, (hit.verse,)) for hit in hits if hit.verse.id not in have
        ]
        return [*named, *found][: self._passages]
