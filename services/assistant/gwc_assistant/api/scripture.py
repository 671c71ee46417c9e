"""The text: by reference and by search. Public, the same for everybody, and kept at the edge."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from gwc_assistant.api.depends import Wired
from gwc_assistant.api.documents import problems
from gwc_assistant.api.etag import DAY, HOUR, kept
from gwc_assistant.corpus import VERSIONS, Corpus, Span, parse
from gwc_assistant.domain import Hit, Passage
from gwc_assistant.problems import (
    INVALID_REQUEST,
    PASSAGE_TOO_LONG,
    UNKNOWN_REFERENCE,
    UNKNOWN_VERSION,
    DomainError,
)

router = APIRouter(prefix="/v1/scripture", tags=["scripture"])


class VerseBody(BaseModel):
    reference: str = Field(examples=["John 3:16"])
    chapter: int
    verse: int
    text: str


class PassageBody(BaseModel):
    reference: str = Field(examples=["John 3:16-18"])
    verses: list[VerseBody]


class ScriptureBody(BaseModel):
    reference: str = Field(examples=["John 3:16-18"])
    version: str = Field(examples=["ASV"])
    passages: list[PassageBody]


class HitBody(VerseBody):
    score: float = Field(description="Compares within this answer only; higher is better.")


class SearchBody(BaseModel):
    query: str
    version: str
    mode: Literal["lexical", "semantic"] = Field(description="How it was searched, which may be less than was asked.")
    degraded: str = Field("", description="Why the search was not the one that was asked for; empty where it was.")
    hits: list[HitBody]


Version = Annotated[str, Query(max_length=16, examples=["ASV", "KJV"], description="Default: the service's setting.")]
SearchMode = Annotated[Literal["lexical", "semantic"], Query()]


def version_of(named: str, default: str) -> str:
    """Raises DomainError for a version that the corpus does not have."""
    version = (named or default).upper()
    if version not in VERSIONS:
        raise DomainError(UNKNOWN_VERSION, f"There are these versions: {', '.join(VERSIONS)}.")
    return version


@router.get(
    "/search",
    response_model=SearchBody,
    responses=problems(INVALID_REQUEST, UNKNOWN_VERSION),
    summary="Verses by words, or by meaning where an embedder is there",
    operation_id="search",
)
@router.api_route("/search", methods=["GET", "HEAD"], include_in_schema=False)
async def search(
    request: Request,
    wired: Wired,
    q: Annotated[str, Query(min_length=1, max_length=500, examples=["love your enemies"])],
    version: Version = "",
    mode: SearchMode = "lexical",
    limit: Annotated[int, Query(ge=1, le=50)] = 10,
) -> Response:
    chosen = version_of(version, wired.settings.version)
    hits, degraded = await wired.search(q, chosen, mode, limit)
    found: Literal["lexical", "semantic"] = "lexical" if degraded else mode
    body = SearchBody(query=q, version=chosen, mode=found, degraded=degraded, hits=[_hit(hit) for hit in hits])
    response = kept(request, body, HOUR)
    if degraded:
        response.headers["Cache-Control"] = "no-store"  # the edge would keep it long after the index is back
    return response


@router.get(
    "/{reference}",
    response_model=ScriptureBody,
    responses=problems(UNKNOWN_REFERENCE, UNKNOWN_VERSION, PASSAGE_TOO_LONG),
    summary="The text of a reference",
    operation_id="scripture",
)
@router.api_route("/{reference}", methods=["GET", "HEAD"], include_in_schema=False)
def scripture(
    request: Request,
    wired: Wired,
    reference: Annotated[str, Path(examples=["John 3:16-18", "Ps 23; 1 Cor 13"])],
    version: Version = "",
) -> Response:
    chosen = version_of(version, wired.settings.version)
    spans = parse(reference)
    if not spans:
        raise DomainError(UNKNOWN_REFERENCE, "No such book, chapter or verse; write it like John 3:16-18.")
    passages = _passages(wired.corpus, spans, chosen, wired.settings.max_verses)
    name = "; ".join(passage.reference for passage in passages)
    body = ScriptureBody(reference=name, version=chosen, passages=[_passage(passage) for passage in passages])
    return kept(request, body, DAY)


def _passages(corpus: Corpus, spans: tuple[Span, ...], version: str, limit: int) -> list[Passage]:
    if sum(corpus.count(span, version) for span in spans) > limit:
        raise DomainError(PASSAGE_TOO_LONG, f"At most {limit} verses at once; ask for fewer chapters.")
    found = [passage for span in spans if (passage := corpus.passage(span, version, limit))]
    if len(found) < len(spans):
        raise DomainError(UNKNOWN_REFERENCE, f"Part of this is not in the {version}; try another version.")
    return found


def _passage(passage: Passage) -> PassageBody:
    verses = [
        VerseBody(reference=verse.reference, chapter=verse.chapter, verse=verse.verse, text=verse.text)
        for verse in passage.verses
    ]
    return PassageBody(reference=passage.reference, verses=verses)


def _hit(hit: Hit) -> HitBody:
    verse = hit.verse
    return HitBody(
        reference=verse.reference,
        chapter=verse.chapter,
        verse=verse.verse,
        text=verse.text,
        score=round(hit.score, 4),
    )
