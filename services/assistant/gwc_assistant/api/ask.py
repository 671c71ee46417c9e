"""A question, and its answer with citations: in one piece, or as server-sent events for those who ask for them."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing

import anyio
from fastapi import APIRouter
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from gwc_assistant.api.bodies import AnswerBody, AskBody, CostBody, answer_of, citations_of, dollars, question_of
from gwc_assistant.api.depends import User, Wired
from gwc_assistant.api.documents import problems
from gwc_assistant.ask import Answered, Opened, Part
from gwc_assistant.cost import LedgerUnavailableError
from gwc_assistant.cost.account import Account, Cost
from gwc_assistant.cost.bill import Bill
from gwc_assistant.domain import Answer
from gwc_assistant.problems import (
    CONVERSATION_TOO_LONG,
    INTERNAL_ERROR,
    INVALID_REQUEST,
    LEDGER_UNAVAILABLE,
    MODEL_UNAVAILABLE,
    NOTES_TOO_LONG,
    QUESTION_EMPTY,
    QUESTION_TOO_LONG,
    UNIDENTIFIED,
    UNKNOWN_VERSION,
    DomainError,
    Problems,
    charged,
)
from gwc_assistant.protocols import Delta

log = logging.getLogger(__name__)
router = APIRouter(prefix="/v1", tags=["ask"])

CACHE = "X-Assistant-Cache"
EVENTS = "text/event-stream"
ROUTE = "ask"
_EVENTS_EXAMPLE = (
    'event: meta\ndata: {"model": "small", "cache": "miss", "degraded": ""}\n\n'
    'event: delta\ndata: {"text": "God so loved the world [1]"}\n\n'
    'event: citations\ndata: {"citations": [], "context": ["John 3:16"], "truncated": false}\n\n'
    'event: usage\ndata: {"input_tokens": 310, "output_tokens": 9, "estimated": false, "usd": "0.0001", "units": 1}\n\n'
)
_DOCUMENTED = problems(
    UNIDENTIFIED,
    UNKNOWN_VERSION,
    QUESTION_EMPTY,
    QUESTION_TOO_LONG,
    CONVERSATION_TOO_LONG,
    NOTES_TOO_LONG,
    INVALID_REQUEST,
    MODEL_UNAVAILABLE,
    LEDGER_UNAVAILABLE,
) | {200: {"content": {EVENTS: {"schema": {"type": "string"}, "example": _EVENTS_EXAMPLE}}}}


@router.post(
    "/ask",
    response_model=AnswerBody,
    responses=_DOCUMENTED,
    summary="Answer a question from the text",
    operation_id="ask",
)
async def ask(request: Request, wired: Wired, user: User, body: AskBody) -> Response:
    """`Accept: text/event-stream` gets events: meta, delta (many), citations, and usage as the last."""
    question = question_of(body, user, wired.settings)
    account, bill = wired.accounts.account(user, ROUTE), Bill()
    streaming = wants_events(request)
    await wired.ledger.writable()
    try:
        opened = await wired.answering.open(question, bill, streaming=streaming)
    except DomainError as error:
        error.units = await account.charge(bill, bill.spent[0].model, "miss") if bill.spent else 0
        raise
    if streaming:
        return await _events(opened, account, request)
    return await _whole(opened, account)


def wants_events(request: Request) -> bool:
    """Whether the client names event streams among what it accepts, and does not refuse them."""
    for accepted in request.headers.get("accept", "").split(","):
        kind, *parameters = (part.strip().lower() for part in accepted.split(";"))
        if kind == EVENTS:
            return not any(parameter in ("q=0", "q=0.0", "q=0.00", "q=0.000") for parameter in parameters)
    return False


async def _whole(opened: Opened, account: Account) -> Response:
    answer = await opened.whole()
    reported = await account.charge(opened.bill, answer.model, opened.started.layer)
    body = answer_of(answer, opened.started.layer, cost_of(account.cost(opened.bill)))
    return JSONResponse(body.model_dump(mode="json"), headers=_headers(opened, reported))


async def _events(opened: Opened, account: Account, request: Request) -> Response:
    started = opened.started
    try:
        reported = await account.begin(opened.bill, started.model, started.provider, started.layer)
    except LedgerUnavailableError:
        await opened.parts.aclose()  # nobody will read them
        raise
    stream = _Stream(opened, account, reported, request.app.state.problems, request.scope)
    return _EventResponse(stream, _headers(opened, reported))


def _headers(opened: Opened, reported: int | None) -> dict[str, str]:
    """Without a known price there is no header, and the route's own cost stands."""
    return {CACHE: opened.started.layer, "Cache-Control": "no-store", **charged(reported)}


def cost_of(cost: Cost) -> CostBody:
    return CostBody(
        input_tokens=cost.usage.input_tokens,
        output_tokens=cost.usage.output_tokens,
        estimated=cost.usage.estimated,
        usd=None if cost.usd is None else dollars(cost.usd),
        units=cost.units,
    )


class _EventResponse(StreamingResponse):
    """Closes its stream however it ends, also when the client has left before the first byte."""

    def __init__(self, stream: _Stream, headers: dict[str, str]) -> None:
        super().__init__(stream.events(), media_type=EVENTS, headers=headers)
        self._stream = stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            with anyio.CancelScope(shield=True):
                await self._stream.close()


class _Stream:
    """Settles its charge however it ends: read to the end, broken by the model, or left by the client."""

    def __init__(
        self, opened: Opened, account: Account, reported: int | None, problems: Problems, scope: Scope
    ) -> None:
        self._opened, self._account, self._reported = opened, account, reported
        self._problems, self._scope = problems, scope
        self._settled: Cost | None = None

    async def events(self) -> AsyncGenerator[bytes, None]:
        started = self._opened.started
        yield event("meta", {"model": started.model, "cache": started.layer, "degraded": started.degraded})
        async with aclosing(self._told()) as told:
            async for line in told:
                yield line
        yield event("usage", cost_of(await self._settle()))

    async def close(self) -> None:
        """A client that leaves has been answered so far, and pays for that."""
        await self._opened.parts.aclose()
        await self._settle()

    async def _told(self) -> AsyncGenerator[bytes, None]:
        """The status has left already, so that a failure is an event."""
        try:
            async with aclosing(self._opened.parts) as parts:
                async for part in parts:
                    yield _event_of(part)
        except DomainError as error:
            yield event("error", self._problems.document(error.kind, error.detail, self._scope))
        except Exception:
            log.exception("stream failed")
            detail = "The service failed to answer."
            yield event("error", self._problems.document(INTERNAL_ERROR, detail, self._scope))

    async def _settle(self) -> Cost:
        if self._settled is None:
            model = self._opened.started.model
            layer = self._opened.started.layer
            try:
                self._settled = await self._account.settle(self._opened.bill, model, layer, self._reported)
            except LedgerUnavailableError:
                self._settled = self._account.cost(self._opened.bill)  # in the ledger its estimate stays
        return self._settled


def _event_of(part: Part) -> bytes:
    match part:
        case Delta(text):
            return event("delta", {"text": text})
        case Answered(answer):
            return event("citations", _citations(answer))
        case _:
            raise RuntimeError("an answer began twice")


def _citations(answer: Answer) -> dict[str, object]:
    cited = [citation.model_dump() for citation in citations_of(answer)]
    return {"citations": cited, "context": list(answer.context), "truncated": answer.truncated}


def event(name: str, data: BaseModel | dict[str, object]) -> bytes:
    """One server-sent event. JSON has no raw line breaks, so that one data line holds it."""
    given = data.model_dump(mode="json") if isinstance(data, BaseModel) else data
    return f"event: {name}\ndata: {json.dumps(given, ensure_ascii=False)}\n\n".encode()
