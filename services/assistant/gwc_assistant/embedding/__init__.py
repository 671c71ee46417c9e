"""Texts to vectors: which embedder there is, behind its queue, its breaker and its cache."""

from gwc_assistant.embedding.batching import EmbeddingFailedError, MicroBatcher
from gwc_assistant.embedding.cached import CachedEmbedder
from gwc_assistant.embedding.guarded import GuardedEmbedder
from gwc_assistant.embedding.lexical import LexicalEmbedder

__all__ = ["CachedEmbedder", "EmbeddingFailedError", "GuardedEmbedder", "LexicalEmbedder", "MicroBatcher"]
