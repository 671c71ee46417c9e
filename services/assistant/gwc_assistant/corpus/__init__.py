"""The text: references, passages, and search by words."""

from gwc_assistant.corpus.references import Span, mentioned, parse
from gwc_assistant.corpus.store import VERSIONS, Corpus

__all__ = ["VERSIONS", "Corpus", "Span", "mentioned", "parse"]
