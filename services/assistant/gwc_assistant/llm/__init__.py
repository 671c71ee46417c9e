"""Language models behind the OpenAI-compatible wire format."""

from gwc_assistant.llm.client import ModelError, OpenAIModel
from gwc_assistant.llm.guarded import GuardedModel

__all__ = ["GuardedModel", "ModelError", "OpenAIModel"]
