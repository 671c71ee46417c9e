"""What a model is given, and which of it its answer cites."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence

from gwc_assistant.domain import Citation, Passage, Question
from gwc_assistant.prompts import Prompt
from gwc_assistant.protocols import Message

_MARKER = re.compile(r"\[(\d{1,3}(?:\s*,\s*\d{1,3})*)\]")


def messages(prompt: Prompt, question: Question, passages: Sequence[Passage]) -> list[Message]:
    """System, the conversation as it was, then the question with its passages."""
    numbered = "\n".join(f"[{n}] {p.reference} ({p.version}): {p.text}" for n, p in enumerate(passages, 1))
    notes = "\n".join(f"- {note}" for note in question.notes)
    system, user = prompt.filled(passages=numbered or "(none)", notes=notes or "(none)", question=question.text)
    turns = [Message(turn.role, turn.content) for turn in question.conversation]
    return [Message("system", system), *turns, Message("user", user)]


def citations(text: str, passages: Sequence[Passage]) -> tuple[Citation, ...]:
    """Those of the passages that the text cites by number, in the order of their first mention."""
    numbers = [int(number) for group in _MARKER.findall(text) for number in group.split(",")]
    cited = [number for number in dict.fromkeys(numbers) if 1 <= number <= len(passages)]
    return tuple(citation(number, passages[number - 1]) for number in cited)


def citation(marker: int, passage: Passage) -> Citation:
    return Citation(marker, passage.reference, passage.version, passage.text)


def digest(question: Question) -> str:
    """Of what else was said: the same question after another conversation is another question."""
    said = [[(turn.role, turn.content) for turn in question.conversation], question.notes]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:32]
