"""A model's server may be anything: nothing that it sends without end fills the memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from gwc_assistant.llm import ModelError, OpenAIModel
from gwc_assistant.protocols import Message
from gwc_assistant.settings import Endpoint

WORDS = b'data: {"choices": [{"delta": {"content": "and so on and so on "}}]}\n\n'


def sent_until_it_had_enough(chunk: bytes) -> int:
    """Bytes that were taken of a stream of them, which would be 100 MB."""
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 100_000_000:
            sent += len(chunk)
            yield chunk

    async def run() -> None:
        endpoint = Endpoint.model_validate({"url": "http://model.test/v1", "model": "small"})
        waits = {"connect": 30.0, "first_token": 30.0, "next_token": 30.0}
        model = OpenAIModel(endpoint, output_tokens=512, request_id_header="X-Request-ID", **waits)
        answer = httpx.MockTransport(lambda _: httpx.Response(200, content=endless()))
        model._client = httpx.AsyncClient(transport=answer)
        with pytest.raises(ModelError) as raised:
            async for _ in model.stream([Message("user", "?")]):
                pass
        assert (raised.value.why, raised.value.counts) == ("malformed", True)
        await model.aclose()

    asyncio.run(run())
    return sent


def test_a_line_without_an_end_is_given_up() -> None:
    assert sent_until_it_had_enough(b"x" * 65_536) <= 2**20 + 2 * 65_536


def test_an_answer_far_longer_than_was_asked_for_is_given_up() -> None:
    assert sent_until_it_had_enough(WORDS) < 4 * 64 * 512
