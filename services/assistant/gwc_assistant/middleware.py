"""The outermost layer: the request's id, errors that nobody expected, and connections that end while draining."""

from __future__ import annotations

import logging

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gwc_assistant.context import request_id
from gwc_assistant.problems import INTERNAL_ERROR, Problems
from gwc_assistant.state import State

log = logging.getLogger(__name__)


class Outermost:
    """An unexpected error is logged with its trace and told to nobody else."""

    def __init__(self, app: ASGIApp, header: str, problems: Problems, state: State) -> None:
        self._app, self._header, self._problems, self._state = app, header.lower().encode(), problems, state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        given = next((value for key, value in scope["headers"] if key == self._header), b"")
        token = request_id.set(given.decode("latin-1"))
        try:
            await self._served(scope, receive, send)
        finally:
            request_id.reset(token)

    async def _served(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def told(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                if self._state.phase == "draining":
                    message["headers"] = [*message.get("headers", ()), (b"connection", b"close")]
            await send(message)

        try:
            await self._app(scope, receive, told)
        except Exception:
            log.exception("request failed", extra={"path": scope["path"]})
            if started:
                raise  # the server cuts the connection, so that half an answer does not pass for a whole one
            detail = "The service failed to answer."
            await self._problems.response(INTERNAL_ERROR, detail, scope)(scope, receive, told)
