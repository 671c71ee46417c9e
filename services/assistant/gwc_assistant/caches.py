"""Chooses the embedder and the caches by the settings. What is not installed is not chosen, and that is logged."""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

from gwc_assistant.cache import ExactCache, SemanticCache, SemanticPolicy, SharedCache
from gwc_assistant.cache.semantic import CLOSENESS
from gwc_assistant.embedding import CachedEmbedder, GuardedEmbedder, LexicalEmbedder, minilm
from gwc_assistant.embedding.batched import BatchedEmbedder, LocalModel
from gwc_assistant.embedding.onnx import OnnxModel
from gwc_assistant.protocols import AnswerCache, Embedder
from gwc_assistant.resilience import BreakerPolicy
from gwc_assistant.settings import Settings
from gwc_assistant.store import Store
from gwc_assistant.store.redis import POLICY, RedisStore
from gwc_assistant.telemetry import Telemetry

log = logging.getLogger(__name__)


def shared_store(settings: Settings, telemetry: Telemetry) -> Store | None:
    """None where one process has everything to itself. Raises ImportError where Redis's client is not installed."""
    if settings.redis_url is None:
        return None
    url = settings.redis_url.get_secret_value()
    return RedisStore(url, timeout=settings.redis_timeout, breaker=telemetry.breaker("cache:redis", POLICY))


def embedder(
    settings: Settings, model: LocalModel | None, telemetry: Telemetry, policy: BreakerPolicy, shared: Store | None
) -> CachedEmbedder:
    """Nothing is loaded yet: `warm_up` does that. Without a model, letters are all that is compared."""
    entries = settings.cache_entries
    if model is None:
        if settings.embedder == "auto":
            log.warning("no model of meaning is installed: closeness is of letters", extra={"embedder": "lexical"})
        lexical = LexicalEmbedder(partial(_span, telemetry, LexicalEmbedder.id))
        # not shared: to make such a vector anew is quicker than to ask for it
        return CachedEmbedder(lexical, entries, None, telemetry.embedded)
    observe = partial(telemetry.batched, model.id)
    batched = BatchedEmbedder(model, batch=settings.embedder_batch, queue=settings.embedder_queue, observe=observe)
    breaker = telemetry.breaker(f"embedding:{model.id}", policy)
    guarded = GuardedEmbedder(batched, breaker, partial(_span, telemetry, model.id))
    return CachedEmbedder(guarded, entries, shared, telemetry.embedded)


def exact(settings: Settings, shared: Store | None) -> ExactCache | SharedCache:
    """L0: in this process, and under it the store where there is one."""
    ttl, stale = settings.cache_ttl, settings.cache_stale
    local = ExactCache(settings.cache_entries, ttl, stale)
    return local if shared is None else SharedCache(local, shared, ttl, stale)


def answers(
    settings: Settings, kept: AnswerCache, telemetry: Telemetry, embeds: Embedder, shared: Store | None
) -> AnswerCache:
    """L1 over L0, which is `kept`: another embedder knows other likenesses, of the same answers."""
    if settings.semantic_cache == "off":
        return kept
    closeness = CLOSENESS[embeds.semantic] if settings.semantic_closeness is None else settings.semantic_closeness
    policy = SemanticPolicy(closeness, settings.semantic_overlap, shadow=settings.semantic_cache == "shadow")
    return SemanticCache(
        kept,
        embeds,
        policy,
        entries=settings.cache_entries,
        seconds=settings.cache_ttl + settings.cache_stale,
        shared=shared,
        observe=telemetry.resembled,
    )


def local_model(settings: Settings) -> LocalModel | None:
    """Nothing is loaded yet, but its id is known. Raises OSError for an ONNX model that is not there."""
    match settings.embedder:
        case "onnx" if settings.embedder_model is not None:
            return OnnxModel(settings.embedder_model, threads=settings.embedder_threads)
        case "minilm":
            return minilm.MiniLM(settings.embedder_threads)
        case "auto" if minilm.available():
            return minilm.MiniLM(settings.embedder_threads)
    return None


def _span(telemetry: Telemetry, model: str) -> AbstractContextManager[Any]:
    named = {"gen_ai.operation.name": "embeddings", "gen_ai.request.model": model}
    return telemetry.step(f"embeddings {model}", **named)
