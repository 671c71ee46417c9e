"""The context of a question, assembled before: which passages it is about."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence

from gwc_assistant.domain import Passage, Question
from gwc_assistant.protocols import Retriever


class CachedRetriever:
    """At most `entries`, the least recently used going first. `corpus` names the text as it is now.

    Users share it: passages are public, and depend on the words of a question and on the corpus alone. In memory only,
    because to look them up in the corpus costs less than a round trip; an entry may take 60 KiB.
    """

    def __init__(self, retriever: Retriever, corpus: Callable[[], str], entries: int = 1000) -> None:
        self._retriever, self._entries, self._corpus = retriever, entries, corpus
        self._kept: OrderedDict[tuple[str, str, str], Sequence[Passage]] = OrderedDict()

    async def retrieve(self, question: Question) -> Sequence[Passage]:
        key = (self._corpus(), question.version, question.text)
        found = self._kept.get(key)
        if found is None:
            found = await self._retriever.retrieve(question)
            self._kept[key] = found
        self._kept.move_to_end(key)
        while len(self._kept) > self._entries:
            self._kept.popitem(last=False)
        return found
