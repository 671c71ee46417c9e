"""From a question to an answer: retrieval, models, and what stands in when they fail."""

from gwc_assistant.ask.answering import Answered, Answering, Opened, Part, Started
from gwc_assistant.ask.retrieval import LexicalRetriever

__all__ = ["Answered", "Answering", "LexicalRetriever", "Opened", "Part", "Started"]
