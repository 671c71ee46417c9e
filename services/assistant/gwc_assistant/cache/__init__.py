"""Answers that need not be made again."""

from gwc_assistant.cache.exact import ExactCache

__all__ = ["ExactCache"]
