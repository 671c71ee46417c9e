"""Answers a question: from the cache, from a model, and when models fail from what may stand in for them.

The order of what stands in: another model, a stale answer of the same user, the verses themselves.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, replace
from typing import TypeAlias

from gwc_assistant.ask import context, extractive
from gwc_assistant.cost.bill import Bill, estimated
from gwc_assistant.domain import Answer, Layer, Passage, Question
from gwc_assistant.llm import GuardedModel, ModelError
from gwc_assistant.problems import MODEL_UNAVAILABLE, DomainError
from gwc_assistant.prompts import Prompt
from gwc_assistant.protocols import AnswerCache, AnswerKey, Delta, Finish, Found, Message, Retriever
from gwc_assistant.resilience import BreakerOpenError, OverloadedError
from gwc_assistant.telemetry import Telemetry

RETRY_AFTER = 5.0
"""Seconds, where the failure itself names no time."""

Failure = (ModelError, BreakerOpenError, OverloadedError)


@dataclass(frozen=True, slots=True)
class Started:
    """First of all parts, once it is settled who answers. `provider` is empty where that costs nothing."""

    model: str
    provider: str
    layer: Layer
    degraded: str = ""


@dataclass(frozen=True, slots=True)
class Answered:
    """Last of all parts."""

    answer: Answer


Part: TypeAlias = "Started | Delta | Answered"


@dataclass(frozen=True, slots=True)
class Opened:
    """An answer that has begun. `bill` grows until `parts` end; whoever has it reads `parts` or closes them."""

    started: Started
    parts: AsyncGenerator[Part, None]
    bill: Bill

    async def whole(self) -> Answer:
        async with aclosing(self.parts) as parts:
            async for part in parts:
                if isinstance(part, Answered):
                    return part.answer
        raise RuntimeError("an answer ended without its last part")


@dataclass(frozen=True, slots=True)
class Answering:
    """`models` in the order of preference; without any, answers are extractive and that is no degradation."""

    models: tuple[GuardedModel, ...]
    retriever: Retriever
    cache: AnswerCache
    prompt: Prompt
    corpus: str
    patience: float
    telemetry: Telemetry

    async def open(self, question: Question, bill: Bill, *, streaming: bool) -> Opened:
        """Returns once it is known who answers. Raises DomainError when nobody can or may."""
        parts = self._parts(question, bill, streaming=streaming)
        started = await anext(parts)
        if not isinstance(started, Started):
            raise RuntimeError("an answer began without its first part")
        self.telemetry.answered(started.layer)
        return Opened(started, parts, bill)

    async def _parts(self, question: Question, bill: Bill, *, streaming: bool) -> AsyncGenerator[Part, None]:
        if not self.models:
            passages = await self._retrieved(question)
            source = _told(Started(extractive.NAME, "", "miss"), extractive.answer(passages))
        else:
            source = self._cached_or_made(question, bill, streaming=streaming)
        async with aclosing(source) as parts:
            async for part in parts:
                yield part

    async def _cached_or_made(self, question: Question, bill: Bill, *, streaming: bool) -> AsyncGenerator[Part, None]:
        key = self._key(question)
        async with AsyncExitStack() as held:
            found = await self._looked_up(key)
            if found is None:
                await self._first(key, held)
                passages = await self._retrieved(question)
                found = await self._looked_up(key) or await self.cache.similar(key, _ids(passages))
            if found is not None:
                source = _from_cache(found)
            else:
                source = self._made(question, key, passages, bill, streaming=streaming)
            async with aclosing(source) as parts:
                async for part in parts:
                    yield part

    async def _looked_up(self, key: AnswerKey) -> Found | None:
        with self.telemetry.step("cache lookup") as span:
            found = await self.cache.exact(key)
            span.set_attribute("assistant.cache.hit", found is not None)
            return found

    async def _first(self, key: AnswerKey, held: AsyncExitStack) -> None:
        """Waits while another makes the same answer, but not for ever: that one's reader may be slow."""
        try:
            async with asyncio.timeout(self.patience):
                await held.enter_async_context(self.cache.alone(key))
        except TimeoutError:
            return

    async def _retrieved(self, question: Question) -> Sequence[Passage]:
        with self.telemetry.step("retrieval") as span:
            passages = await self.retriever.retrieve(question)
            span.set_attribute("assistant.passages", len(passages))
            return passages

    async def _made(
        self, question: Question, key: AnswerKey, passages: Sequence[Passage], bill: Bill, *, streaming: bool
    ) -> AsyncGenerator[Part, None]:
        said = context.messages(self.prompt, question, passages)
        bill.prompt_characters = sum(len(message.content) for message in said)
        failures: list[Exception] = []
        for number, model in enumerate(self.models if question.allow_degraded else self.models[:1]):
            attempt = _Attempt(model, said, bill, passages, "fallback-model" if number else "")
            try:
                async with aclosing(attempt.parts() if streaming else _collected(attempt.parts())) as parts:
                    async for part in parts:
                        if isinstance(part, Started) and number:
                            self.telemetry.fell_back("model", _reason(failures[-1]))
                        if isinstance(part, Answered):
                            await self.cache.keep(key, _ids(passages), part.answer)
                        yield part
                return
            except Failure as failure:
                failures.append(failure)
                if attempt.told and streaming:
                    raise _unavailable(failures, "The model broke off in the middle of its answer.") from failure
        async for part in self._stand_in(question, key, passages, failures):
            yield part

    async def _stand_in(
        self, question: Question, key: AnswerKey, passages: Sequence[Passage], failures: list[Exception]
    ) -> AsyncGenerator[Part, None]:
        """Raises DomainError where the asker wants nothing but the model's own answer."""
        if not question.allow_degraded:
            raise _unavailable(failures, "The model does not answer at the moment.")
        found = await self.cache.stale(key, _ids(passages))
        reason = "stale-answer" if found else "extractive"
        self.telemetry.fell_back(reason, _reason(failures[-1]))
        if found is not None:
            source = _from_cache(replace(found, answer=replace(found.answer, degraded=reason)))
        else:
            source = _told(Started(extractive.NAME, "", "miss", reason), extractive.answer(passages, reason))
        async for part in source:
            yield part

    def _key(self, question: Question) -> AnswerKey:
        return AnswerKey(
            user=question.user,
            model=self.models[0].id,
            prompt=self.prompt.key,
            corpus=self.corpus,
            version=question.version,
            context=context.digest(question),
            question=question.text,
        )


class _Attempt:
    """One model's try. What it has said is on the bill, however the try ends."""

    def __init__(
        self, model: GuardedModel, said: list[Message], bill: Bill, passages: Sequence[Passage], degraded: str
    ) -> None:
        self._model, self._said, self._bill, self._passages = model, said, bill, passages
        self._degraded = degraded
        self._text: list[str] = []
        self._finish: Finish | None = None

    @property
    def told(self) -> bool:
        return bool(self._text)

    async def parts(self) -> AsyncGenerator[Part, None]:
        try:
            async with aclosing(self._model.stream(self._said)) as stream:
                async for part in stream:
                    if isinstance(part, Finish):
                        self._finish = part
                        break
                    self._text.append(part.text)  # first: whoever leaves at the first yield pays for it
                    if len(self._text) == 1:
                        yield Started(self._model.name, self._model.provider, "miss", self._degraded)
                    yield part
            if not self._text or self._finish is None:
                raise ModelError(self._model.name, "malformed")
            yield Answered(self._answer("".join(self._text), self._finish))
        finally:
            self._billed()

    def _answer(self, text: str, finish: Finish) -> Answer:
        cited = context.citations(text, self._passages)
        given = tuple(passage.reference for passage in self._passages)
        return Answer(text, self._model.name, cited, given, self._degraded, truncated=finish.reason == "length")

    def _billed(self) -> None:
        usage = self._finish.usage if self._finish else None
        if usage is None and self._text:
            usage = estimated(self._bill.prompt_characters, sum(map(len, self._text)))
        if usage is not None:
            self._bill.add(self._model.name, self._model.provider, usage)


async def _collected(parts: AsyncGenerator[Part, None]) -> AsyncGenerator[Part, None]:
    """Nothing before everything is there: who gets the answer in one piece may get another model's instead."""
    async with aclosing(parts) as source:
        whole = [part async for part in source]
    for part in whole:
        yield part


async def _from_cache(found: Found) -> AsyncGenerator[Part, None]:
    async for part in _told(Started(found.answer.model, "", found.layer, found.answer.degraded), found.answer):
        yield part


async def _told(started: Started, answer: Answer) -> AsyncGenerator[Part, None]:
    yield started
    yield Delta(answer.text)
    yield Answered(answer)


def _ids(passages: Sequence[Passage]) -> tuple[int, ...]:
    return tuple(verse.id for passage in passages for verse in passage.verses)


def _reason(failure: Exception) -> str:
    match failure:
        case ModelError():
            return failure.why
        case BreakerOpenError():
            return "breaker-open"
        case _:
            return "overloaded"


def _unavailable(failures: list[Exception], detail: str) -> DomainError:
    """The shortest time after which one of them may be back."""
    waits = [wait for failure in failures if (wait := getattr(failure, "retry_after", None)) is not None]
    return DomainError(MODEL_UNAVAILABLE, detail, retry_after=min(waits, default=RETRY_AFTER))
