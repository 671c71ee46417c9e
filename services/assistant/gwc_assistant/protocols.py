"""What the parts of the service promise one another. Implementations are chosen in `wiring`."""

from __future__ import annotations

from array import array
from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from gwc_assistant.domain import Answer, Hit, Passage, Question, TokenUsage

Vector: TypeAlias = "array[float]"
"""Of unit length, type code `f`. A buffer, so that numpy reads it without copying, and nobody needs numpy."""


class Closing(Protocol):
    """What holds something that has to be let go after the last request."""

    async def aclose(self) -> None: ...


class Lifecycle(Closing, Protocol):
    """What has to be made ready before requests come, and let go after the last one."""

    async def warm_up(self) -> None:
        """Returns once the first request would be as fast as the later ones. Raises when that cannot be."""


class Embedder(Lifecycle, Protocol):
    """Texts to vectors. `id` names model and revision: vectors of different ids do not compare."""

    @property
    def id(self) -> str: ...

    @property
    def dimensions(self) -> int: ...

    @property
    def semantic(self) -> bool:
        """False where closeness is of letters and not of meaning; said to clients as a degradation."""

    async def embed(self, texts: Sequence[str]) -> Sequence[Vector]:
        """One vector for each text, in order. Raises `resilience.OverloadedError` when the queue is full."""


class Retriever(Protocol):
    """The passages that a question is about, the best first: by its text and its version, and nothing else of it."""

    async def retrieve(self, question: Question) -> Sequence[Passage]: ...


class SemanticIndex(Lifecycle, Protocol):
    """Search by meaning over the verses of a version, in the embedder's space."""

    @property
    def ready(self) -> bool:
        """False while vectors are still being made; searches are lexical until then."""

    async def complete(self) -> None:
        """Returns once it is ready. Raises what kept it from that."""

    async def nearest(self, text: str, version: str, limit: int) -> Sequence[Hit]: ...


@dataclass(frozen=True, slots=True)
class AnswerKey:
    """All that an answer depends on but the embedder, whose id a semantic layer adds by itself.

    `model` is the id of the preferred one, `prompt` is `id@version:hash`, `corpus` the corpus's digest, `context` the
    digest of conversation and notes.
    """

    user: str
    model: str
    prompt: str
    corpus: str
    version: str
    context: str
    question: str


@dataclass(frozen=True, slots=True)
class Found:
    answer: Answer
    layer: Literal["exact", "semantic", "stale"]
    age: float


class AnswerCache(Protocol):
    """Answers of one user, never another's. `passages` are the ids of the retrieved verses, the best first.

    A cache that fails is a cache that misses: none of these raises for a store that does not answer.
    """

    async def exact(self, key: AnswerKey) -> Found | None:
        """The answer to the same question, within its lifetime."""

    async def similar(self, key: AnswerKey, passages: Sequence[int]) -> Found | None:
        """The answer to a question that means the same, within its lifetime."""

    async def stale(self, key: AnswerKey, passages: Sequence[int]) -> Found | None:
        """An answer past its lifetime, but within the time for which it may stand in; its layer is `stale`."""

    async def keep(self, key: AnswerKey, passages: Sequence[int], answer: Answer) -> None:
        """Does nothing for an answer that is not `keepable`."""

    def alone(self, key: AnswerKey) -> AbstractAsyncContextManager[None]:
        """Held by whoever makes the answer, so that others who ask the same at the same time wait for it."""


@dataclass(frozen=True, slots=True)
class Message:
    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Delta:
    text: str


@dataclass(frozen=True, slots=True)
class Finish:
    """The end of what a model said. `usage` is None where its server reported none."""

    reason: str
    usage: TokenUsage | None


class Model(Closing, Protocol):
    """A language model. `provider` is the name that prices and spans know it by.

    `id` also says where it runs: the same name is another model on another server.
    """

    @property
    def id(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def provider(self) -> str: ...

    def stream(self, messages: Sequence[Message]) -> AsyncGenerator[Delta | Finish, None]:
        """Deltas, then one Finish. Raises `llm.ModelError`; every wait in it has a timeout of its own."""
