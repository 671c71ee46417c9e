"""Chooses the parts by the settings, and puts them together. The one place that knows implementations."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from opentelemetry.sdk.trace.export import SpanExporter

from gwc_assistant import caches
from gwc_assistant import telemetry as tracing
from gwc_assistant.ask import Answering, LexicalRetriever
from gwc_assistant.cache import CachedRetriever, ExactCache, SharedCache
from gwc_assistant.corpus import Corpus
from gwc_assistant.corpus.meaning import VerseIndex
from gwc_assistant.cost import Ledger, PostgresLedger, Prices, Retention, SqliteLedger
from gwc_assistant.cost.account import Accounts
from gwc_assistant.domain import Hit
from gwc_assistant.embedding.batching import EmbeddingFailedError
from gwc_assistant.llm import GuardedModel, OpenAIModel
from gwc_assistant.prompts import Prompts, packaged
from gwc_assistant.protocols import AnswerCache, Closing, Embedder, Lifecycle, Retriever, SemanticIndex
from gwc_assistant.resilience import BreakerOpenError, BreakerPolicy, Bulkhead, OverloadedError
from gwc_assistant.settings import Endpoint, Settings
from gwc_assistant.store import Store
from gwc_assistant.telemetry import Telemetry

LEDGER_FILE = "ledger.sqlite3"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Lasting:
    """What is the same from the start of the process to its end, whatever is configured anew meanwhile."""

    telemetry: Telemetry
    corpus: Corpus
    prompts: Prompts
    ledger: Ledger
    retention: Retention
    shared: Store | None
    answers: ExactCache | SharedCache

    async def warm_up(self) -> None:
        parts: tuple[Lifecycle, ...] = (self.corpus, self.ledger, self.retention)
        for part in parts:
            await part.warm_up()

    async def aclose(self) -> None:
        """In the reverse order of need: what writes last is closed last."""
        parts: tuple[Closing, ...] = (self.answers, self.corpus, self.retention, self.ledger)
        for part in parts:
            await part.aclose()
        await asyncio.to_thread(self.telemetry.close)


class Recipes:
    """Parts by all that they are made from: what a reload would only make again, it takes over from `before`."""

    def __init__(self, before: Mapping[Hashable, Any]) -> None:
        self._before = before
        self.made: dict[Hashable, Any] = {}

    def of(self, recipe: Hashable, make: Callable[[], T]) -> T:
        part: T = self._before[recipe] if recipe in self._before else make()
        self.made[recipe] = part
        return part


@dataclass(slots=True)
class Parts:
    """Everything that routes need, of one configuration. `index` is None where there is no embedder of meanings."""

    settings: Settings
    telemetry: Telemetry
    corpus: Corpus
    prompts: Prompts
    ledger: Ledger
    models: tuple[GuardedModel, ...]
    retriever: Retriever
    cache: AnswerCache
    accounts: Accounts
    embedder: Embedder
    index: SemanticIndex | None
    made: Mapping[Hashable, Any]

    @property
    def answering(self) -> Answering:
        """Made anew for each question: of the parts that its request began with."""
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

    @property
    def closing(self) -> tuple[Closing, ...]:
        """What is let go with this configuration, if no other has it, too: in the reverse order of need."""
        return (*(() if self.index is None else (self.index,)), self.embedder, *self.models)

    async def warm_up(self) -> None:
        """Does not wait for the vectors of all verses, nor ask models on other machines: what is there, serves."""
        await self.embedder.warm_up()
        if self.index is not None:
            await self.index.warm_up()

    async def take_over(self, before: Parts) -> None:
        """Makes ready what `before` does not have: completely, because that one serves meanwhile.

        Raises what a part raises that cannot be made ready, ModelError among them.
        """
        for model in self.models:
            if model not in before.models:
                await model.probe()
        if self.embedder is not before.embedder:
            await self.embedder.warm_up()
        if self.index is not None and self.index is not before.index:
            await self.index.warm_up()
            await self.index.complete()


def lasting(settings: Settings, exporter: SpanExporter | None = None) -> Lasting:
    """Nothing is opened yet. Raises ImportError where what a setting needs is not installed."""
    if exporter is None and settings.otlp_traces is not None:
        exporter = tracing.otlp(str(settings.otlp_traces))
    telemetry = Telemetry(exporter)
    shared, ledger = caches.shared_store(settings, telemetry), _ledger(settings)
    return Lasting(
        telemetry=telemetry,
        corpus=Corpus(settings.data_dir),
        prompts=packaged(),
        ledger=ledger,
        retention=Retention(ledger, settings.ledger_charges_days, settings.ledger_sums_days),
        shared=shared,
        answers=caches.exact(settings, shared),
    )


def _ledger(settings: Settings) -> Ledger:
    if settings.ledger_url is None:
        return SqliteLedger(settings.data_dir / LEDGER_FILE)
    return PostgresLedger(settings.ledger_url.get_secret_value(), connections=settings.ledger_connections)


def build(settings: Settings, lasts: Lasting, before: Parts | None = None) -> Parts:
    """Nothing is opened yet. Raises ValueError for prices that cannot be read, OSError for a model that is not there.

    `before` is what this one takes the place of.
    """
    recipes = Recipes(before.made if before else {})
    embedder, index, cache = _meaning(settings, lasts, recipes)
    return Parts(
        settings=settings,
        telemetry=lasts.telemetry,
        corpus=lasts.corpus,
        prompts=lasts.prompts,
        ledger=lasts.ledger,
        models=tuple(_model(settings, endpoint, lasts.telemetry, recipes) for endpoint in settings.endpoints),
        retriever=_retriever(settings, lasts.corpus, recipes),
        cache=cache,
        accounts=_accounts(settings, lasts),
        embedder=embedder,
        index=index,
        made=recipes.made,
    )


def _meaning(settings: Settings, lasts: Lasting, recipes: Recipes) -> tuple[Embedder, VerseIndex | None, AnswerCache]:
    """What makes vectors, and what compares them: the search of verses and the cache of answers."""
    model, policy = caches.local_model(settings), breaker_policy(settings)
    batches = settings.embedder_threads, settings.embedder_batch, settings.embedder_queue
    made_from = model and model.id, batches, policy  # an id, for the same path may hold another model by now
    embedder = recipes.of(
        ("embedder", made_from), lambda: caches.embedder(settings, model, lasts.telemetry, policy, lasts.shared)
    )
    cache = recipes.of(
        ("cache", made_from, settings.semantic_cache, settings.semantic_closeness, settings.semantic_overlap),
        lambda: caches.answers(settings, lasts.answers, lasts.telemetry, embedder, lasts.shared),
    )
    if not embedder.semantic or settings.verse_index == "off":
        return embedder, None, cache
    index = recipes.of(
        ("index", made_from, settings.version),
        lambda: VerseIndex(lasts.corpus, embedder.uncached, settings.data_dir, settings.version),
    )
    return embedder, index, cache


def _retriever(settings: Settings, corpus: Corpus, recipes: Recipes) -> Retriever:
    passages = settings.context_passages
    return recipes.of(
        ("retriever", passages),
        lambda: CachedRetriever(LexicalRetriever(corpus, passages), lambda: corpus.digest),
    )


def _accounts(settings: Settings, lasts: Lasting) -> Accounts:
    """Always anew: the file with the prices is read again."""
    prices = Prices.read(settings.prices, settings.unit_usd)
    return Accounts(lasts.ledger, prices, lasts.telemetry, settings.llm_output_tokens // 2)


def _model(settings: Settings, endpoint: Endpoint, telemetry: Telemetry, recipes: Recipes) -> GuardedModel:
    waits = settings.llm_connect, settings.llm_first_token, settings.llm_next_token
    policy, room = breaker_policy(settings), (settings.bulkhead, settings.bulkhead_wait)

    def make() -> GuardedModel:
        connect, first_token, next_token = waits
        model = OpenAIModel(
            endpoint,
            output_tokens=settings.llm_output_tokens,
            connect=connect,
            first_token=first_token,
            next_token=next_token,
            request_id_header=settings.request_id_header,
        )
        name = f"llm:{endpoint.model}"
        return GuardedModel(model, telemetry.breaker(name, policy), Bulkhead(name, *room), telemetry)

    return recipes.of(("model", endpoint, settings.llm_output_tokens, waits, policy, room), make)


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
