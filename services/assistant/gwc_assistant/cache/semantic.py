"""L1: the answer to a question that means the same, of the same user.

Three things have to agree. Guard A: the signatures, word for word; they also find the candidates, so that no vector is
made for a question that resembles none. Guard B: the passages that were retrieved for both. And the embedder, which
sees what the guards do not: the sentence as a whole.
"""

from __future__ import annotations

import dataclasses
import json
from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from operator import mul
from typing import Literal

from gwc_assistant.cache.signature import signature
from gwc_assistant.domain import Answer
from gwc_assistant.embedding.batching import EmbeddingFailedError
from gwc_assistant.protocols import AnswerCache, AnswerKey, Embedder, Found, Vector
from gwc_assistant.resilience import BreakerOpenError, OverloadedError
from gwc_assistant.store import Store, named

Outcome = Literal["hit", "unlike", "other-context", "failed", "shadow-hit", "shadow-agreed", "shadow-differed"]

CANDIDATES = 8
"""Questions of one signature that are remembered; more of them would be the same question over and over."""

_PENDING = 1000  # shadow hits whose real answer is still being made


CLOSENESS = {True: 0.7, False: 0.2}
"""By whether the embedder sees meaning. Below it, a sentence says something else with the same words; by letters alone
paraphrases are hardly closer than strangers, and only the farthest are told apart."""


@dataclass(frozen=True, slots=True)
class SemanticPolicy:
    """`overlap` of the retrieved passages (Jaccard) and `closeness` of the vectors (cosine), both at least.

    `shadow`: what would be a hit is only counted, and compared with the answer that is made instead.
    """

    closeness: float
    overlap: float = 0.1
    shadow: bool = False


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A question that has an answer, and the verses that were retrieved for it."""

    question: str
    passages: frozenset[int]


class SemanticCache:
    """`exact` holds the answers; this one knows which of its questions are the same question.

    `entries` bounds the signatures that are remembered here, the least recently used going first; in `shared` they
    last as long as the answers, `seconds`.
    """

    def __init__(
        self,
        exact: AnswerCache,
        embedder: Embedder,
        policy: SemanticPolicy,
        *,
        entries: int,
        seconds: float,
        shared: Store | None = None,
        observe: Callable[[Outcome], None] = lambda _outcome: None,
    ) -> None:
        self._exact, self._embedder, self._policy = exact, embedder, policy
        self._entries, self._seconds, self._shared, self._observe = entries, seconds, shared, observe
        self._known: OrderedDict[str, tuple[Neighbour, ...]] = OrderedDict()
        self._shadowed: OrderedDict[AnswerKey, Answer] = OrderedDict()

    async def exact(self, key: AnswerKey) -> Found | None:
        return await self._exact.exact(key)

    async def similar(self, key: AnswerKey, passages: Sequence[int]) -> Found | None:
        for neighbour in await self._alike(key, passages):
            found = await self._exact.exact(dataclasses.replace(key, question=neighbour.question))
            if found is not None:
                return self._shown(key, dataclasses.replace(found, layer="semantic"))
        return None

    async def stale(self, key: AnswerKey, passages: Sequence[int]) -> Found | None:
        """Its own old answer first, then that of a question that means the same, unless hits only count as shadows."""
        own = await self._exact.stale(key, passages)
        if own is not None or self._policy.shadow:
            return own
        for neighbour in await self._alike(key, passages):
            asked = dataclasses.replace(key, question=neighbour.question)
            if (found := await self._exact.stale(asked, passages)) is not None:
                return found
        return None

    async def keep(self, key: AnswerKey, passages: Sequence[int], answer: Answer) -> None:
        """For what was made. What a hit returned is not kept again: likeness is not handed on from one to the next."""
        self._compare(key, answer)
        if not answer.keepable:
            return
        await self._exact.keep(key, passages, answer)
        if (name := self._name(key)) is not None:
            await self._remember(name, Neighbour(key.question, frozenset(passages)))

    def alone(self, key: AnswerKey) -> AbstractAsyncContextManager[None]:
        return self._exact.alone(key)

    def _shown(self, key: AnswerKey, found: Found) -> Found | None:
        if not self._policy.shadow:
            self._observe("hit")
            return found
        self._observe("shadow-hit")
        self._shadowed[key] = found.answer
        while len(self._shadowed) > _PENDING:
            self._shadowed.popitem(last=False)
        return None

    def _compare(self, key: AnswerKey, made: Answer) -> None:
        """Two answers agree that cite one verse in two or more."""
        if (would_be := self._shadowed.pop(key, None)) is not None:
            ours, theirs = ({cited.reference for cited in answer.citations} for answer in (would_be, made))
            self._observe("shadow-agreed" if overlap(ours, theirs) >= 0.5 else "shadow-differed")

    async def _alike(self, key: AnswerKey, passages: Sequence[int]) -> list[Neighbour]:
        """Those that pass both guards and are close, the closest first."""
        name = self._name(key)
        known = () if name is None else await self._candidates(name)
        known = tuple(one for one in known if one.question != key.question)
        near = [one for one in known if overlap(one.passages, passages) >= self._policy.overlap]
        if len(near) < len(known):
            self._observe("other-context")
        if not near:
            return []
        try:
            ours, *theirs = await self._embedder.embed([key.question, *(one.question for one in near)])
        except (EmbeddingFailedError, OverloadedError, BreakerOpenError):
            self._observe("failed")
            return []
        return self._close(near, [closeness(ours, one) for one in theirs])

    def _close(self, near: list[Neighbour], scores: list[float]) -> list[Neighbour]:
        ranked = sorted(zip(scores, near, strict=True), key=lambda pair: -pair[0])
        close = [one for score, one in ranked if score >= self._policy.closeness]
        if not close:
            self._observe("unlike")
        return close

    def _name(self, key: AnswerKey) -> str | None:
        """None for a question without a word to know it by. All that an answer depends on is part of it."""
        asked = signature(key.question)
        if asked.empty:
            return None
        scope = dataclasses.astuple(dataclasses.replace(key, question=""))
        return named("alike", *scope, self._embedder.id, repr(asked))

    async def _candidates(self, name: str) -> tuple[Neighbour, ...]:
        if self._shared is not None:
            there = [one for value in await self._shared.pushed(name) if (one := _read(value)) is not None]
            if there:
                return tuple(there)
        if name in self._known:
            self._known.move_to_end(name)
        return self._known.get(name, ())

    async def _remember(self, name: str, neighbour: Neighbour) -> None:
        others = [one for one in self._known.get(name, ()) if one.question != neighbour.question]
        self._known[name] = (neighbour, *others)[:CANDIDATES]
        self._known.move_to_end(name)
        while len(self._known) > self._entries:
            self._known.popitem(last=False)
        if self._shared is not None:
            await self._shared.push(name, _written(neighbour), self._seconds, CANDIDATES)


def overlap(ones: Collection[Hashable], others: Collection[Hashable]) -> float:
    """Jaccard's: what both have, of all that there is. Two without anything are the same."""
    either = set(ones) | set(others)
    return len(set(ones) & set(others)) / len(either) if either else 1.0


def closeness(one: Vector, other: Vector) -> float:
    """The cosine, for both are of unit length. Few are compared at a time: numpy would cost more than it saves."""
    return float(sum(map(mul, one, other)))


def _written(neighbour: Neighbour) -> bytes:
    return json.dumps([neighbour.question, sorted(neighbour.passages)]).encode()


def _read(value: bytes) -> Neighbour | None:
    """None for what another release of the service has written."""
    try:
        question, passages = json.loads(value)
        return Neighbour(str(question), frozenset(map(int, passages)))
    except (ValueError, TypeError):
        return None
