"""The peers of cached.py: the same answer from FastAPI, made anew, and taken from Redis.

They are spared what they could be: the answer is ready as bytes in Redis and goes out as it is, by one command on a
kept connection; made anew, it is a dict of forty entries, which a real handler would first have to look up.
"""

from __future__ import annotations

import os

from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse
from redis.asyncio import Redis

app = FastAPI()
store = Redis(port=int(os.environ["BENCHMARK_REDIS"]))
VERSES = {f"verse-{number}": "In the beginning was the Word, and so on and on." for number in range(40)}


@app.get("/made")
async def made() -> JSONResponse:
    return JSONResponse(VERSES)


@app.get("/stored")
async def stored(version: str = "asv") -> Response:
    key = f"/stored?version={version}"
    found = await store.get(key)
    if found is None:
        found = bytes(JSONResponse(VERSES).body)
        await store.set(key, found, ex=3600)
    return Response(found, media_type="application/json")
