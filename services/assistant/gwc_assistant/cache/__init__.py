"""Answers that need not be made again."""

from gwc_assistant.cache.context import CachedRetriever
from gwc_assistant.cache.exact import ExactCache
from gwc_assistant.cache.semantic import SemanticCache, SemanticPolicy
from gwc_assistant.cache.shared import SharedCache

__all__ = ["CachedRetriever", "ExactCache", "SemanticCache", "SemanticPolicy", "SharedCache"]
