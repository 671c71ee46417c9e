"""The application: routes, who may call them, and how errors look."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from opentelemetry.sdk.trace.export import SpanExporter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from gwc_assistant.api import ask, health, prompts, scripture, usage
from gwc_assistant.configuration import read
from gwc_assistant.cost import LedgerUnavailableError
from gwc_assistant.generations import Generations, Leased
from gwc_assistant.identity import Identity
from gwc_assistant.middleware import Outermost
from gwc_assistant.problems import (
    BAD_REQUEST,
    BUSY,
    INVALID_REQUEST,
    LEDGER_UNAVAILABLE,
    METHOD_NOT_ALLOWED,
    NOT_FOUND,
    DomainError,
    Problems,
)
from gwc_assistant.resilience import OverloadedError
from gwc_assistant.settings import Settings
from gwc_assistant.state import State
from gwc_assistant.wiring import lasting

log = logging.getLogger(__name__)

_KINDS = {404: NOT_FOUND, 405: METHOD_NOT_ALLOWED}
_DETAILS = {404: "Nothing is served at this address.", 405: "This address does not support the method."}


def create_app(settings: Settings | None = None, exporter: SpanExporter | None = None) -> FastAPI:
    """For `uvicorn --factory`. Raises SettingsError without a gateway secret: the service fails closed.

    Raises ValueError, OSError or ImportError where what a setting names cannot be read or is not installed.
    """
    settings = settings or read()
    generations, state = Generations(lasting(settings, exporter), settings), State()
    app = FastAPI(
        title="AssistantService",
        version="1",
        description="Questions and answers about the text, and the text itself.",
        lifespan=_lifespan(generations, state),
        docs_url=None,
        redoc_url=None,
        telemetry={
            "tracer_provider": generations.lasting.telemetry.tracers,
            "metrics": False,
            "logs": False,
            "operation_spans": False,  # of the framework's own steps; ours say more
        },
    )
    app.include_router(ask.router)
    app.include_router(scripture.router)
    app.include_router(prompts.router)
    app.include_router(usage.router)
    app.include_router(health.router)
    _errors(app, problems := Problems(settings.problem_type, settings.base_path))
    _layers(app, generations, problems, state)
    app.state.phase, app.state.generations, app.state.problems = state, generations, problems
    return app


def _layers(app: FastAPI, generations: Generations, problems: Problems, state: State) -> None:
    """Added inside out: the request's id is known before anything can fail."""
    settings = generations.current.settings
    app.add_middleware(Leased, generations=generations)
    app.add_middleware(
        Identity,
        secrets=lambda: generations.current.settings.gateway_secrets,
        secret_header=settings.gateway_secret_header,
        user_header=settings.user_header,
        problems=problems,
    )
    app.add_middleware(Outermost, header=settings.request_id_header, problems=problems, state=state)


def _lifespan(generations: Generations, state: State) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        """Warms up beside the server, so that /healthz answers from the first moment."""
        warming = asyncio.create_task(_warm_up(generations, state))
        try:
            yield
        finally:
            state.drain()
            warming.cancel()
            await asyncio.gather(warming, return_exceptions=True)
            await generations.aclose()

    return lifespan


async def _warm_up(generations: Generations, state: State) -> None:
    try:
        await generations.warm_up()
    except Exception:
        log.exception("warm-up failed")
        state.failed()
    else:
        state.ready()


def _errors(app: FastAPI, problems: Problems) -> None:
    @app.exception_handler(DomainError)
    async def domain(request: Request, error: DomainError) -> Response:
        return problems.of(error, request.scope)

    @app.exception_handler(OverloadedError)
    async def overloaded(request: Request, error: OverloadedError) -> Response:
        """A queue of our own is full, and nothing could stand in: the caller may come again in a moment."""
        busy = DomainError(BUSY, "The service has more to do than it can.", error.retry_after)
        return problems.of(busy, request.scope)

    @app.exception_handler(LedgerUnavailableError)
    async def unpaid(request: Request, error: LedgerUnavailableError) -> Response:
        """A dependency failed, and not this service: the gateway does not retry what a model may have answered."""
        away = DomainError(LEDGER_UNAVAILABLE, "Costs cannot be recorded at the moment.", error.retry_after)
        return problems.of(away, request.scope)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        told = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        return problems.response(INVALID_REQUEST, told, request.scope)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        """Starlette's own: no such route, another method, a body that cannot be read."""
        kind = _KINDS.get(error.status_code, BAD_REQUEST)
        detail = _DETAILS.get(error.status_code, "The request could not be understood.")
        return problems.response(kind, detail, request.scope, dict(error.headers or {}))
