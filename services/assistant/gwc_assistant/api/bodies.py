"""What `/v1/ask` reads and answers, and how it becomes the domain's words."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from gwc_assistant.api.scripture import version_of
from gwc_assistant.domain import Answer, Layer, Question, Turn
from gwc_assistant.problems import (
    CONVERSATION_TOO_LONG,
    NOTES_TOO_LONG,
    QUESTION_EMPTY,
    QUESTION_TOO_LONG,
    DomainError,
    Kind,
)
from gwc_assistant.settings import Settings


class TurnBody(BaseModel):
    model_config = ConfigDict(extra="forbid")

    role: Literal["user", "assistant"]
    content: str


class AskBody(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"question": "What does John 3:16 promise?"},
                {
                    "question": "And who wrote that?",
                    "version": "KJV",
                    "conversation": [
                        {"role": "user", "content": "What is love?"},
                        {"role": "assistant", "content": "1 Corinthians 13 says: Charity suffereth long. [1]"},
                    ],
                    "notes": ["We read 1 Corinthians on Tuesdays."],
                },
            ]
        },
    )

    question: str
    version: str = ""
    conversation: list[TurnBody] = []
    notes: list[str] = []
    allow_degraded: bool = Field(True, description="Whether a fallback may answer when the model does not.")


class CitationBody(BaseModel):
    marker: int
    reference: str
    version: str
    text: str


class CostBody(BaseModel):
    input_tokens: int
    output_tokens: int
    estimated: bool = Field(description="Counted by characters, because the model's server reported nothing.")
    usd: str | None = Field(description="A decimal number; null where the price is unknown.")
    units: int | None = Field(description="Of the gateway's budget; null where the price is unknown.")


class AnswerBody(BaseModel):
    answer: str
    citations: list[CitationBody]
    context: list[str] = Field(description="References of the passages that were looked at.")
    model: str = Field(examples=["extractive"])
    cache: Layer
    degraded: str = Field(description="Which fallback answered; empty where none had to.")
    truncated: bool
    usage: CostBody


def question_of(body: AskBody, user: str, settings: Settings) -> Question:
    """Raises DomainError for what is empty, or longer than the service reads."""
    text = body.question.strip()
    if not text:
        raise DomainError(QUESTION_EMPTY, "Write a question.")
    _bounded(QUESTION_TOO_LONG, "A question", "characters", len(text), settings.question_chars)
    said = sum(len(turn.content) for turn in body.conversation)
    _bounded(CONVERSATION_TOO_LONG, "A conversation", "turns", len(body.conversation), settings.conversation_turns)
    _bounded(CONVERSATION_TOO_LONG, "A conversation", "characters", said, settings.conversation_chars)
    _bounded(NOTES_TOO_LONG, "Notes", "entries", len(body.notes), settings.notes)
    _bounded(NOTES_TOO_LONG, "Notes", "characters", sum(map(len, body.notes)), settings.notes_chars)
    turns = tuple(Turn(turn.role, turn.content) for turn in body.conversation)
    version = version_of(body.version, settings.version)
    return Question(user, text, version, turns, tuple(body.notes), body.allow_degraded)


def _bounded(kind: Kind, what: str, unit: str, size: int, limit: int) -> None:
    if size > limit:
        raise DomainError(kind, f"{what} may have {limit} {unit} at most; this has {size}.")


def dollars(amount: Decimal) -> str:
    """A decimal number without exponent or idle zeros: money is no float."""
    return f"{amount.normalize():f}"


def citations_of(answer: Answer) -> list[CitationBody]:
    return [
        CitationBody(marker=one.marker, reference=one.reference, version=one.version, text=one.text)
        for one in answer.citations
    ]


def answer_of(answer: Answer, layer: Layer, usage: CostBody) -> AnswerBody:
    return AnswerBody(
        answer=answer.text,
        citations=citations_of(answer),
        context=list(answer.context),
        model=answer.model,
        cache=layer,
        degraded=answer.degraded,
        truncated=answer.truncated,
        usage=usage,
    )
