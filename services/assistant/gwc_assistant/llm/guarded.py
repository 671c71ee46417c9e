"""A model behind its breaker and its bulkhead, with its span and its metrics."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from opentelemetry.trace import Span, use_span

from gwc_assistant.llm.client import ModelError
from gwc_assistant.protocols import Delta, Finish, Message, Model
from gwc_assistant.resilience import Breaker, Bulkhead, Permit
from gwc_assistant.telemetry import Telemetry


class GuardedModel:
    """Raises ModelError, BreakerOpenError or OverloadedError. Its streams tell the breaker how they ended."""

    def __init__(self, model: Model, breaker: Breaker, bulkhead: Bulkhead, telemetry: Telemetry) -> None:
        self._model, self.breaker, self._bulkhead, self._telemetry = model, breaker, bulkhead, telemetry
        self.id, self.name, self.provider = model.id, model.name, model.provider

    async def stream(self, messages: Sequence[Message]) -> AsyncGenerator[Delta | Finish, None]:
        async with self._bulkhead.place():
            permit = self.breaker.acquire()
            try:
                async with aclosing(self._watched(messages, permit)) as parts:
                    async for part in parts:
                        yield part
            finally:
                permit.release()  # neutral for whoever was cancelled; without effect where the outcome is known

    async def _watched(self, messages: Sequence[Message], permit: Permit) -> AsyncGenerator[Delta | Finish, None]:
        span, started, failure = self._telemetry.chat(self), time.monotonic(), ""
        try:
            async with aclosing(self._model.stream(messages)) as parts:
                while part := await _step(span, parts):
                    permit.responded()
                    if isinstance(part, Finish):
                        permit.succeed()
                        self._telemetry.finished(span, self, part)
                    yield part
        except ModelError as error:
            failure = error.why
            permit.fail() if error.counts else permit.release()
            raise
        finally:
            self._telemetry.chatted(span, self, time.monotonic() - started, failure)

    async def probe(self) -> None:
        """Asks for the first token of an answer. Raises ModelError for a server that does not give one.

        Beside the breaker, and on nobody's bill: it is asked once, before anybody depends on it.
        """
        async with aclosing(self._model.stream([Message("user", "Say yes.")])) as parts:
            await anext(parts, None)

    async def aclose(self) -> None:
        await self._model.aclose()


async def _step(span: Span, parts: AsyncGenerator[Delta | Finish, None]) -> Delta | Finish | None:
    """The span is current only within a step: between steps, what runs is the reader's."""
    with use_span(span, record_exception=False, set_status_on_exception=False):
        return await anext(parts, None)
