"""Chooses the parts by the settings, and puts them together. The one place that knows implementations."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from opentelemetry.sdk.trace.export import SpanExporter

from gwc_assistant import caches
from gwc_assistant import telemetry as tracing
from gwc_assistant.ask import Answering, LexicalRetriever
from gwc_assistant.cache import CachedRetriever
from gwc_assistant.corpus import Corpus
from gwc_assistant.corpus.meaning import VerseIndex
from gwc_assistant.cost import Ledger, Prices
from gwc_assistant.cost.account import Accounts
from gwc_assistant.domain import Hit
from gwc_assistant.embedding.batching import EmbeddingFailedError
from gwc_assistant.llm import GuardedModel, OpenAIModel
from gwc_assistant.prompts import Prompts, packaged
from gwc_assistant.protocols import AnswerCache, Closing, Embedder, Lifecycle, Retriever, SemanticIndex
from gwc_assistant.resilience import BreakerOpenError, BreakerPolicy, Bulkhead, OverloadedError
from gwc_assistant.settings import Endpoint, Settings
from gwc_assistant.telemetry import Telemetry

LEDGER_FILE = "ledger.sqlite3"


@dataclass(slots=True)
class Parts:
    """Everything that routes need. `index` is None where no embedder is installed or chosen."""

    settings: Settings
    telemetry: Telemetry
    corpus: Corpus
    prompts: Prompts
    models: tuple[GuardedModel, ...]
    retriever: Retriever
    cache: AnswerCache
    ledger: Ledger
    accounts: Accounts
    index: SemanticIndex | None = None
    lifecycles: tuple[Lifecycle, ...] = ()

    @property
    def answering(self) -> Answering:
        """Made anew for each question: parts may be replaced while the service runs."""
        return Answering(
            models=self.models,
            retriever=self.retriever,
            cache=self.cache,
            prompt=self.prompts["ask"],
            corpus=self.corpus.digest,
            patience=self.settings.llm_first_token,
            telemetry=self.telemetry,
        )

    async def search(
        self, text: str, version: str, mode: Literal["lexical", "semantic"], limit: int
    ) -> tuple[Sequence[Hit], str]:
        """The hits, and why they are not what was asked for; empty where they are."""
        missing = "no-embedder" if self.index is None else "index-not-ready"
        if mode == "semantic" and self.index is not None and self.index.ready:
            try:
                return await self.index.nearest(text, version, limit), ""
            except (EmbeddingFailedError, BreakerOpenError, OverloadedError):
                missing = "embedder-unavailable"
        hits = await asyncio.to_thread(self.corpus.search, text, version, limit)
        return hits, missing if mode == "semantic" else ""

    async def warm_up(self) -> None:
        parts: tuple[Lifecycle, ...] = (self.corpus, self.ledger, *self.lifecycles)
        for part in parts:
            await part.warm_up()

    async def aclose(self) -> None:
        """In the reverse order of need: what writes last is closed last."""
        parts: tuple[Closing, ...] = (*reversed(self.lifecycles), *self.models, self.cache, self.corpus, self.ledger)
        for part in parts:
            await part.aclose()
        await asyncio.to_thread(self.telemetry.close)


def build(settings: Settings, exporter: SpanExporter | None = None) -> Parts:
    """Nothing is opened yet. Raises ValueError for prices that cannot be read."""
    if exporter is None and settings.otlp_traces is not None:
        exporter = tracing.otlp(str(settings.otlp_traces))
    telemetry = Telemetry(exporter)
    corpus, ledger = Corpus(settings.data_dir), Ledger(settings.data_dir / LEDGER_FILE)
    prices = Prices.read(settings.prices, settings.unit_usd)
    shared = caches.shared_store(settings, telemetry)
    embedder = caches.embedder(settings, telemetry, breaker_policy(settings), shared)
    index = _index(settings, corpus, embedder.uncached) if embedder.semantic else None
    retriever = LexicalRetriever(corpus, settings.context_passages)
    return Parts(
        settings=settings,
        telemetry=telemetry,
        corpus=corpus,
        prompts=packaged(),
        models=tuple(_model(settings, endpoint, telemetry) for endpoint in settings.endpoints),
        retriever=CachedRetriever(retriever, lambda: corpus.digest),
        cache=caches.answers(settings, telemetry, embedder, shared),
        ledger=ledger,
        accounts=Accounts(ledger, prices, telemetry, settings.llm_output_tokens // 2),
        index=index,
        lifecycles=(embedder,) if index is None else (embedder, index),  # vectors need a model that is loaded
    )


def _index(settings: Settings, corpus: Corpus, embedder: Embedder) -> VerseIndex:
    return VerseIndex(corpus, embedder, settings.data_dir, settings.version)


def _model(settings: Settings, endpoint: Endpoint, telemetry: Telemetry) -> GuardedModel:
    model = OpenAIModel(
        endpoint,
        output_tokens=settings.llm_output_tokens,
        connect=settings.llm_connect,
        first_token=settings.llm_first_token,
        next_token=settings.llm_next_token,
        request_id_header=settings.request_id_header,
    )
    name = f"llm:{endpoint.model}"
    breaker = telemetry.breaker(name, breaker_policy(settings))
    return GuardedModel(model, breaker, Bulkhead(name, settings.bulkhead, settings.bulkhead_wait), telemetry)


def breaker_policy(settings: Settings) -> BreakerPolicy:
    return BreakerPolicy(
        window=settings.breaker_window,
        min_calls=settings.breaker_calls,
        failure_share=settings.breaker_failures,
        slow_after=settings.breaker_slow_after,
        slow_share=settings.breaker_slow,
        open_for=settings.breaker_open,
        probes=settings.breaker_probes,
    )
