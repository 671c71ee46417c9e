"""Errors as problem documents (RFC 9457), in the shape of the gateway's own. Types are stable for ever."""

from __future__ import annotations

import math
from dataclasses import dataclass

from starlette.responses import JSONResponse
from starlette.types import Scope

from gwc_assistant.context import request_id


@dataclass(frozen=True, slots=True)
class Kind:
    """`type` is appended to the prefix that the whole gateway uses."""

    type: str
    status: int
    title: str


UNKNOWN_REFERENCE = Kind("unknown-reference", 404, "Unknown Reference")
UNKNOWN_VERSION = Kind("unknown-version", 404, "Unknown Version")
UNKNOWN_PROMPT = Kind("unknown-prompt", 404, "Unknown Prompt")
PASSAGE_TOO_LONG = Kind("passage-too-long", 422, "Passage Too Long")
QUESTION_TOO_LONG = Kind("question-too-long", 422, "Question Too Long")
QUESTION_EMPTY = Kind("question-empty", 422, "Question Empty")
CONVERSATION_TOO_LONG = Kind("conversation-too-long", 422, "Conversation Too Long")
NOTES_TOO_LONG = Kind("notes-too-long", 422, "Notes Too Long")
INVALID_REQUEST = Kind("invalid-request", 422, "Invalid Request")
MODEL_UNAVAILABLE = Kind("model-unavailable", 424, "Model Unavailable")
LEDGER_UNAVAILABLE = Kind("ledger-unavailable", 424, "Ledger Unavailable")
NOT_THROUGH_THE_GATEWAY = Kind("not-through-the-gateway", 403, "Not Through The Gateway")
UNIDENTIFIED = Kind("unidentified", 401, "Unidentified")
NOT_FOUND = Kind("not-found", 404, "Not Found")
METHOD_NOT_ALLOWED = Kind("method-not-allowed", 405, "Method Not Allowed")
BAD_REQUEST = Kind("bad-request", 400, "Bad Request")
BUSY = Kind("busy", 503, "Busy")
INTERNAL_ERROR = Kind("internal-error", 500, "Internal Server Error")


class DomainError(Exception):
    """`detail` is for the client: it names no host, no file and no exception. `retry_after` is in seconds.

    `units` are what was used before it failed; None where nobody knows their price.
    """

    def __init__(self, kind: Kind, detail: str, retry_after: float | None = None) -> None:
        super().__init__(f"{kind.type}: {detail}")
        self.kind, self.detail, self.retry_after = kind, detail, retry_after
        self.units: int | None = 0

    @property
    def headers(self) -> dict[str, str]:
        return {} if self.retry_after is None else {"Retry-After": str(max(1, math.ceil(self.retry_after)))}


UNITS = "X-Cost-Units"
"""What the gateway's budget is charged; without it the route's own cost stands, also for what was refused."""


def charged(units: int | None) -> dict[str, str]:
    """The header that says so: none where the price is unknown."""
    return {} if units is None else {UNITS: str(units)}


@dataclass(frozen=True, slots=True)
class Problems:
    """`prefix` begins every type; `base_path` is what the gateway takes off the path that the client asked for."""

    prefix: str
    base_path: str

    def document(self, kind: Kind, detail: str, scope: Scope) -> dict[str, object]:
        """What clients get: the gateway's six members, in its order."""
        return {
            "type": self.prefix + kind.type,
            "title": kind.title,
            "status": kind.status,
            "detail": detail,
            "instance": self.base_path + _path(scope),
            "request_id": request_id.get(),
        }

    def response(
        self, kind: Kind, detail: str, scope: Scope, headers: dict[str, str] | None = None, units: int | None = 0
    ) -> JSONResponse:
        """Never stored: what failed now may work in a moment."""
        return JSONResponse(
            self.document(kind, detail, scope),
            status_code=kind.status,
            headers={"Cache-Control": "no-store", **charged(units), **(headers or {})},
            media_type="application/problem+json",
        )

    def of(self, error: DomainError, scope: Scope) -> JSONResponse:
        return self.response(error.kind, error.detail, scope, error.headers, error.units)


def _path(scope: Scope) -> str:
    """As it was sent: with what is decoded it would be no URI reference."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    return raw.partition(b"?")[0].decode("latin-1")
