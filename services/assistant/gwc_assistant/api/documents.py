"""How problems look in the OpenAPI document."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from gwc_assistant.problems import Kind


class ProblemDocument(BaseModel):
    """RFC 9457, in the shape of the gateway's own errors."""

    model_config = ConfigDict(title="Problem")

    type: str
    title: str
    status: int
    detail: str
    instance: str
    request_id: str


def problems(*kinds: Kind) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route, with an example of each kind."""
    documented: dict[int | str, dict[str, Any]] = {}
    for kind in kinds:
        entry = documented.setdefault(kind.status, {"model": ProblemDocument, "description": kind.title, "content": {}})
        media = entry["content"].setdefault("application/problem+json", {"examples": {}})
        media["examples"][kind.type] = {"value": _example(kind)}
    return documented


def _example(kind: Kind) -> dict[str, object]:
    return {
        "type": f"urn:gwc:problem:{kind.type}",
        "title": kind.title,
        "status": kind.status,
        "detail": "What is wrong with this request.",
        "instance": "/assistant/v1/...",
        "request_id": "4f1d2c3b-8a9e-4d6f-b1c2-0e9f8a7b6c5d",
    }
