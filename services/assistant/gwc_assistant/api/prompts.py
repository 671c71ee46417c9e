"""The prompts that the service uses, for those who want to know what a model is told."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from gwc_assistant.api.depends import Wired
from gwc_assistant.api.documents import problems
from gwc_assistant.api.etag import HOUR, kept
from gwc_assistant.problems import UNKNOWN_PROMPT, DomainError
from gwc_assistant.prompts import Prompt

router = APIRouter(prefix="/v1/prompts", tags=["prompts"])


class PromptSummary(BaseModel):
    id: str
    version: int
    title: str
    description: str


class PromptList(BaseModel):
    prompts: list[PromptSummary]


@router.get("", response_model=PromptList, summary="All prompts", operation_id="prompts")
@router.api_route("", methods=["GET", "HEAD"], include_in_schema=False)
def prompts(request: Request, wired: Wired) -> Response:
    listed = [
        PromptSummary(id=prompt.id, version=prompt.version, title=prompt.title, description=prompt.description)
        for prompt in wired.prompts.by_id.values()
    ]
    return kept(request, PromptList(prompts=listed), HOUR)


@router.get(
    "/{id}",
    response_model=Prompt,
    responses=problems(UNKNOWN_PROMPT),
    summary="One prompt with its words",
    operation_id="prompt",
)
@router.api_route("/{id}", methods=["GET", "HEAD"], include_in_schema=False)
def prompt(request: Request, wired: Wired, id: str) -> Response:
    if id not in wired.prompts.by_id:
        raise DomainError(UNKNOWN_PROMPT, "There is no prompt of this id.")
    return kept(request, wired.prompts[id], HOUR)
