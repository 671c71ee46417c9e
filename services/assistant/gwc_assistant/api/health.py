"""For the platform: whether the process lives, whether it may be sent requests, and its metrics."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gwc_assistant.state import State

router = APIRouter(tags=["platform"])


@router.get("/healthz", summary="Alive", operation_id="healthz")
def healthz(request: Request) -> JSONResponse:
    """503 only when the warm-up failed: nothing but a new process mends that."""
    state: State = request.app.state.phase
    return JSONResponse({"phase": state.phase}, 503 if state.phase == "failed" else 200)


@router.get("/readyz", summary="Ready for requests", operation_id="readyz")
def readyz(request: Request) -> JSONResponse:
    """200 from the end of the warm-up until the drain begins."""
    state: State = request.app.state.phase
    return JSONResponse({"phase": state.phase}, 200 if state.phase == "ready" else 503)


@router.get("/metrics", summary="Metrics for Prometheus", operation_id="metrics")
def metrics(request: Request) -> Response:
    content, media_type = request.app.state.generations.lasting.telemetry.exposition()
    return Response(content, media_type=media_type)
