"""Answers that may be kept, under a strong validator of their bytes."""

from __future__ import annotations

import hashlib
import json
import re

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

HOUR, DAY = 3600, 86_400
"""How long clients keep answers: as long as the policy's edge does."""

_TAG = re.compile(r'(?:W/)?("[^"]*")')


def kept(request: Request, body: BaseModel, max_age: int) -> Response:
    """200 with an ETag, or 304 where the client has these bytes. How long the edge keeps them is the policy's word."""
    content = json.dumps(body.model_dump(mode="json"), ensure_ascii=False, separators=(",", ":")).encode()
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": f"public, max-age={max_age}", "Content-Language": "en"}
    if _has(request.headers.getlist("if-none-match"), tag):
        return Response(status_code=304, headers=headers)
    return Response(content, media_type="application/json", headers=headers)


def _has(conditions: list[str], tag: str) -> bool:
    """Weak comparison, as RFC 9110 wants it for If-None-Match."""
    return any(line.strip() == "*" or tag in _TAG.findall(line) for line in conditions)
