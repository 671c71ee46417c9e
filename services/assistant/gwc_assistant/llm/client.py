"""`/chat/completions` over httpx, always streamed: one path, and a time to the first token that can be bounded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any, Literal

import httpx
from opentelemetry.propagate import inject
from pydantic import BaseModel, NonNegativeInt, ValidationError

from gwc_assistant.context import request_id
from gwc_assistant.domain import TokenUsage
from gwc_assistant.protocols import Delta, Finish, Message
from gwc_assistant.settings import Endpoint

Why = Literal["connect", "timeout", "status", "reset", "malformed"]
MAX_LINE = 1 << 20
"""Characters of one event. A server that never ends its line must not fill the memory."""

MAX_TOKEN = 64
"""Characters of a token, in the mean over an answer; a mean of four is usual."""


class ModelError(Exception):
    """`why` is for metrics and logs; clients are told only that a model is unavailable."""

    def __init__(self, model: str, why: Why, retry_after: float | None = None, *, counts: bool = True) -> None:
        super().__init__(f"{model}: {why}")
        self.model, self.why, self.retry_after, self.counts = model, why, retry_after, counts


class OpenAIModel:
    """One endpoint and model. Every wait is bounded: connecting, the first token, each next one."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        output_tokens: int,
        connect: float,
        first_token: float,
        next_token: float,
        request_id_header: str,
    ) -> None:
        self.name, self.provider = endpoint.model, endpoint.provider
        self._output_tokens, self._first, self._next = output_tokens, first_token, next_token
        self._url = str(endpoint.url).rstrip("/") + "/chat/completions"
        self.id = f"{endpoint.model}@{endpoint.url}"
        self._id_header = request_id_header
        key = endpoint.api_key
        self._client = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {key.get_secret_value()}"} if key else {},
            timeout=httpx.Timeout(None, connect=connect, pool=connect, write=connect),  # reads are timed below
            event_hooks={"request": [self._traced]},
            trust_env=False,
        )

    async def _traced(self, request: httpx.Request) -> None:
        """The gateway's request id and trace go on to the model's server, whose log can then be found by them."""
        inject(request.headers)
        if identity := request_id.get():
            request.headers[self._id_header] = identity

    async def stream(self, messages: Sequence[Message]) -> AsyncGenerator[Delta | Finish, None]:
        """Each wait is timed by itself: a generator's steps may run in different tasks, a timeout may not span them."""
        try:
            async with aclosing(self._stream(messages)) as parts:
                async for part in parts:
                    yield part
        except TimeoutError:
            raise ModelError(self.name, "timeout") from None
        except httpx.ConnectError as error:
            raise ModelError(self.name, "connect") from error
        except httpx.TimeoutException as error:
            raise ModelError(self.name, "timeout") from error
        except httpx.HTTPError as error:
            raise ModelError(self.name, "reset") from error

    async def _stream(self, messages: Sequence[Message]) -> AsyncGenerator[Delta | Finish, None]:
        now = asyncio.get_running_loop().time
        until = now() + self._first
        request = self._client.build_request("POST", self._url, json=self._body(messages))
        async with asyncio.timeout_at(until):
            response = await self._client.send(request, stream=True)
        try:
            self._check(response)
            async with aclosing(self._parts(response)) as parts:
                while part := await _within(until, parts):
                    yield part
                    until = now() + self._next
        finally:
            await response.aclose()

    async def aclose(self) -> None:
        await self._client.aclose()

    def _body(self, messages: Sequence[Message]) -> dict[str, Any]:
        return {
            "model": self.name,
            "messages": [{"role": message.role, "content": message.content} for message in messages],
            "max_tokens": self._output_tokens,
            "stream": True,
            "stream_options": {"include_usage": True},
        }

    def _check(self, response: httpx.Response) -> None:
        """A 4xx other than 408 and 429 is our own mistake, and no sign of bad health."""
        if response.status_code != 200:
            counts = response.status_code >= 500 or response.status_code in (408, 429)
            raise ModelError(self.name, "status", _seconds(response.headers.get("retry-after")), counts=counts)

    async def _parts(self, response: httpx.Response) -> AsyncGenerator[Delta | Finish, None]:
        """A stream that ends without saying why it finished has been cut."""
        reason, usage, said = "", None, 0
        async for event in self._events(response):
            usage = TokenUsage(event.usage.prompt_tokens, event.usage.completion_tokens) if event.usage else usage
            for choice in event.choices or ():
                reason = choice.finish_reason or reason
                if choice.delta is not None and choice.delta.content:
                    said += len(choice.delta.content)
                    self._bounded(said)
                    yield Delta(choice.delta.content)
        if not reason:
            raise ModelError(self.name, "reset")
        yield Finish(reason, usage)

    def _bounded(self, characters: int) -> None:
        """A server that does not know `max_tokens`, or never ends, must not fill the memory nor run up a bill."""
        if characters > MAX_TOKEN * self._output_tokens:
            raise ModelError(self.name, "malformed")

    async def _events(self, response: httpx.Response) -> AsyncGenerator[_Event, None]:
        async for line in _lines(response, self.name):
            if not line.startswith("data:"):
                continue
            data = line[5:].strip()
            if data == "[DONE]":
                return
            yield self._event(data)

    def _event(self, data: str) -> _Event:
        try:
            event = _Event.model_validate_json(data)
        except ValidationError as error:
            raise ModelError(self.name, "malformed") from error
        if event.error is not None:
            raise ModelError(self.name, "malformed")
        return event


class _Tokens(BaseModel):
    prompt_tokens: NonNegativeInt
    completion_tokens: NonNegativeInt


class _Message(BaseModel):
    content: str | None = None


class _Choice(BaseModel):
    delta: _Message | None = None
    finish_reason: str | None = None


class _Event(BaseModel):
    """What of an event is read. Servers add much of their own, which is left."""

    choices: list[_Choice] | None = None
    usage: _Tokens | None = None
    error: object = None


async def _within(until: float, parts: AsyncGenerator[Delta | Finish, None]) -> Delta | Finish | None:
    async with asyncio.timeout_at(until):
        return await anext(parts, None)


async def _lines(response: httpx.Response, model: str) -> AsyncGenerator[str, None]:
    """As `aiter_lines`, but bounded."""
    pending = ""
    async for chunk in response.aiter_text():
        *lines, pending = (pending + chunk).split("\n")
        for line in lines:
            yield line.rstrip("\r")
        if len(pending) > MAX_LINE:
            raise ModelError(model, "malformed")
    if pending:
        yield pending


def _seconds(value: str | None) -> float | None:
    return float(value) if value and value.isdecimal() else None
