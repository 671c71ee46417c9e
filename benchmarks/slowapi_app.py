"""The peer: the same routes, limits and rejections inside FastAPI with slowapi.

It is spared what it could be spared: the cheapest counting that slowapi has (fixed windows in memory), an asynchronous
handler of the refusal (slowapi's own goes through a pool of threads), and no warning to the log for each refusal
besides uvicorn's line for each request.
"""

from __future__ import annotations

import logging
import os
import uuid

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from slowapi import Limiter
from slowapi.errors import RateLimitExceeded
from slowapi.util import get_remote_address

logging.getLogger("slowapi").setLevel(logging.ERROR)
limiter = Limiter(
    key_func=get_remote_address, headers_enabled=True, storage_uri=os.environ.get("BENCHMARK_STORE", "memory://")
)
app = FastAPI()
app.state.limiter = limiter


@app.get("/rejected")
@limiter.limit("1/day")
async def rejected(request: Request) -> JSONResponse:  # noqa: ARG001 - slowapi looks for it
    return JSONResponse({"status": "ok"})


@app.get("/limited")
@limiter.limit("1000000/second")
async def limited(request: Request) -> JSONResponse:  # noqa: ARG001 - slowapi looks for it
    return JSONResponse({"status": "ok"})


@app.get("/flooded")
@limiter.limit("20/second")
async def flooded(request: Request) -> JSONResponse:  # noqa: ARG001 - slowapi looks for it
    return JSONResponse({"status": "ok"})


@app.get("/free")
async def free() -> JSONResponse:
    return JSONResponse({"status": "ok"})


@app.exception_handler(RateLimitExceeded)
async def refused(request: Request, _: RateLimitExceeded) -> JSONResponse:
    request_id = uuid.uuid4().hex
    problem = {
        "type": "https://errors.example.com/rate-limited",
        "title": "Too Many Requests",
        "status": 429,
        "detail": "The rate limit is exceeded; retry later.",
        "instance": request.url.path,
        "request_id": request_id,
    }
    response = JSONResponse(problem, 429, {"X-Request-ID": request_id}, "application/problem+json")
    limiter._inject_headers(response, request.state.view_rate_limit)  # as slowapi's own handler does
    return response
