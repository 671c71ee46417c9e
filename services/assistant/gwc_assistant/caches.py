"""Chooses the embedder and the caches by the settings. What is not installed is not chosen, and that is logged."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

from opentelemetry.metrics import CallbackOptions, Observation

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

_BATCHES = (1, 2, 4, 8, 16, 32, 64)


def shared_store(settings: Settings, telemetry: Telemetry) -> Store | None:
    """None where one process has everything to itself. Raises ImportError where Redis's client is not installed."""
    if settings.redis_url is None:
        return None
    url = settings.redis_url.get_secret_value()
    return RedisStore(url, timeout=settings.redis_timeout, breaker=telemetry.breaker("cache:redis", POLICY))


def embedder(settings: Settings, telemetry: Telemetry, policy: BreakerPolicy, shared: Store | None) -> CachedEmbedder:
    """Nothing is loaded yet: `warm_up` does that. Raises OSError for an ONNX model that is not there."""
    model = _model(settings)
    chosen: Embedder = LexicalEmbedder()
    if model is not None:
        observe = _observer(telemetry, model.id)
        batched = BatchedEmbedder(model, batch=settings.embedder_batch, queue=settings.embedder_queue, observe=observe)
        breaker = telemetry.breaker(f"embedding:{model.id}", policy)
        chosen = GuardedEmbedder(batched, breaker, partial(_span, telemetry, model.id))
        return _cached(chosen, settings, telemetry, shared)
    if settings.embedder == "auto":
        log.warning("no model of meaning is installed: closeness is of letters", extra={"embedder": chosen.id})
    return _cached(chosen, settings, telemetry, None)  # to make such a vector anew is quicker than to ask for it


def answers(settings: Settings, telemetry: Telemetry, embeds: Embedder, shared: Store | None) -> AnswerCache:
    """L0 in this process, under it the store where there is one, and L1 over both."""
    ttl, stale = settings.cache_ttl, settings.cache_stale
    local = ExactCache(settings.cache_entries, ttl, stale)
    exact: AnswerCache = local if shared is None else SharedCache(local, shared, ttl, stale)
    if settings.semantic_cache == "off":
        return exact
    closeness = CLOSENESS[embeds.semantic] if settings.semantic_closeness is None else settings.semantic_closeness
    policy = SemanticPolicy(closeness, settings.semantic_overlap, shadow=settings.semantic_cache == "shadow")
    counter = telemetry.meter.create_counter(
        "assistant.cache.semantic", "", "What became of questions that resemble one that has an answer."
    )
    return SemanticCache(
        exact,
        embeds,
        policy,
        entries=settings.cache_entries,
        seconds=ttl + stale,
        shared=shared,
        observe=lambda outcome: counter.add(1, {"outcome": outcome}),
    )


def _model(settings: Settings) -> LocalModel | None:
    match settings.embedder:
        case "onnx" if settings.embedder_model is not None:
            return OnnxModel(settings.embedder_model, threads=settings.embedder_threads)
        case "minilm":
            return minilm.MiniLM(settings.embedder_threads)
        case "auto" if minilm.available():
            return minilm.MiniLM(settings.embedder_threads)
    return None


def _cached(chosen: Embedder, settings: Settings, telemetry: Telemetry, shared: Store | None) -> CachedEmbedder:
    cached = CachedEmbedder(chosen, settings.cache_entries, shared)

    def counted(_options: CallbackOptions) -> Iterable[Observation]:
        yield Observation(cached.hits, {"layer": "cache"})
        yield Observation(cached.misses, {"layer": "model"})

    telemetry.meter.create_observable_counter("assistant.embedding.texts", [counted], "", "Texts, by where from.")
    return cached


def _observer(telemetry: Telemetry, model: str) -> Callable[[int, float], None]:
    sizes = telemetry.meter.create_histogram(
        "assistant.embedding.batch", "{text}", "Texts of a batch.", explicit_bucket_boundaries_advisory=_BATCHES
    )
    seconds = telemetry.meter.create_histogram("assistant.embedding.duration", "s", "Time of a batch.")

    def observe(size: int, took: float) -> None:
        sizes.record(size, {"model": model})
        seconds.record(took, {"model": model})

    return observe


def _span(telemetry: Telemetry, model: str) -> AbstractContextManager[Any]:
    named = {"gen_ai.operation.name": "embeddings", "gen_ai.request.model": model}
    return telemetry.step(f"embeddings {model}", **named)
