"""Spans below the gateway's, and metrics. The service never begins a trace: what is sampled, the gateway decides."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol
from weakref import WeakValueDictionary

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from gwc_assistant.domain import Layer
from gwc_assistant.protocols import Finish
from gwc_assistant.resilience import Breaker, BreakerPolicy
from gwc_assistant.resilience.breaker import BreakerState

log = logging.getLogger(__name__)

SERVICE = "gwc-assistant"
_TOKENS = [4.0**power for power in range(12)]
_SECONDS = [0.01 * 2**power for power in range(14)]  # both as the GenAI conventions advise
_BATCHES = (1, 2, 4, 8, 16, 32, 64)
_STATES: dict[str, int] = {"closed": 0, "half-open": 1, "open": 2}


class Named(Protocol):
    """Of a model, what spans and metrics say."""

    @property
    def name(self) -> str: ...

    @property
    def provider(self) -> str: ...


class Telemetry:
    """One of each an application. `exporter` gets the spans; without one, spans only carry the trace on."""

    def __init__(self, exporter: SpanExporter | None = None) -> None:
        resource = Resource.create({"service.name": SERVICE})
        self.tracers = TracerProvider(sampler=ParentBased(root=ALWAYS_OFF), resource=resource, shutdown_on_exit=False)
        if exporter is not None:
            self.tracers.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=1000))
        self.tracer = self.tracers.get_tracer(SERVICE)
        self._registry = CollectorRegistry()
        reader = PrometheusMetricReader(registry=self._registry, disable_target_info=True, scope_info_enabled=False)
        self._meters = MeterProvider([reader], resource=resource, shutdown_on_exit=False)
        self.meter = self._meters.get_meter(SERVICE)
        self._breakers: WeakValueDictionary[str, Breaker] = WeakValueDictionary()  # whose owners a reload may drop
        self._instruments()

    def _instruments(self) -> None:
        meter = self.meter
        self._tokens = meter.create_histogram(
            "gen_ai.client.token.usage",
            "{token}",
            "Tokens of a call of a model.",
            explicit_bucket_boundaries_advisory=_TOKENS,
        )
        self._duration = meter.create_histogram(
            "gen_ai.client.operation.duration",
            "s",
            "Time of a call of a model.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self._lookups = meter.create_counter(
            "assistant.cache.answers", "", "Answers, by the cache layer they are from."
        )
        self._cost = meter.create_counter("assistant.cost", "USD", "Price of the answers whose price is known.")
        self._units = meter.create_counter("assistant.cost.units", "", "Units reported to the gateway's budget.")
        self._unknown = meter.create_counter("assistant.cost.unknown", "", "Answers whose price nobody knows.")
        self._fallbacks = meter.create_counter(
            "assistant.fallbacks", "", "Answers that were not the preferred model's."
        )
        self._changes = meter.create_counter("assistant.breaker.changes", "", "New states of circuit breakers.")
        self._reloads = meter.create_counter("assistant.reloads", "", "Configurations that were read while running.")
        self._semantic = meter.create_counter(
            "assistant.cache.semantic", "", "What became of questions that resemble one that has an answer."
        )
        self._texts = meter.create_counter("assistant.embedding.texts", "", "Texts, by where their vectors are from.")
        self._batches = meter.create_histogram(
            "assistant.embedding.batch", "{text}", "Texts of a batch.", explicit_bucket_boundaries_advisory=_BATCHES
        )
        self._batch_seconds = meter.create_histogram("assistant.embedding.duration", "s", "Time of a batch.")
        description = "0 closed, 1 half open, 2 open."
        meter.create_observable_gauge("assistant.breaker.state", [self._observed], "", description)

    def _observed(self, _options: CallbackOptions) -> Iterator[Observation]:
        for name, breaker in list(self._breakers.items()):
            yield Observation(_STATES[breaker.state], {"breaker": name})

    def breaker(self, name: str, policy: BreakerPolicy) -> Breaker:
        """A closed one, whose state is a metric and whose changes are logged."""
        self._breakers[name] = made = Breaker(name, policy, changed=self._changed)
        return made

    def _changed(self, name: str, state: BreakerState) -> None:
        log.warning("breaker", extra={"breaker": name, "state": state})
        self._changes.add(1, {"breaker": name, "state": state})

    def answered(self, layer: Layer) -> None:
        self._lookups.add(1, {"layer": layer})

    def resembled(self, outcome: str) -> None:
        self._semantic.add(1, {"outcome": outcome})

    def embedded(self, cached: int, made: int) -> None:
        self._texts.add(cached, {"layer": "cache"})
        self._texts.add(made, {"layer": "model"})

    def batched(self, model: str, size: int, seconds: float) -> None:
        self._batches.record(size, {"model": model})
        self._batch_seconds.record(seconds, {"model": model})

    def reloaded(self, outcome: str) -> None:
        self._reloads.add(1, {"outcome": outcome})

    def fell_back(self, to: str, reason: str) -> None:
        self._fallbacks.add(1, {"to": to, "reason": reason})

    def charged(self, model: str, usd: float | None, reported: int | None) -> None:
        if usd is None:
            self._unknown.add(1, {"model": model})
        else:
            self._cost.add(usd, {"model": model})
        if reported is not None:
            self._units.add(reported, {"model": model})

    @contextmanager
    def step(self, name: str, **attributes: str) -> Iterator[Span]:
        """A span around work of our own. No text of questions or answers belongs into its attributes."""
        with self.tracer.start_as_current_span(name, attributes=attributes) as span:
            yield span

    def chat(self, model: Named) -> Span:
        """As the GenAI semantic conventions name it. Prompts and answers are not recorded."""
        return self.tracer.start_span(f"chat {model.name}", kind=SpanKind.CLIENT, attributes=_attributes(model))

    def finished(self, span: Span, model: Named, finish: Finish) -> None:
        span.set_attribute("gen_ai.response.finish_reasons", [finish.reason])
        if finish.usage is None:
            return
        for kind, count in (("input", finish.usage.input_tokens), ("output", finish.usage.output_tokens)):
            span.set_attribute(f"gen_ai.usage.{kind}_tokens", count)
            self._tokens.record(count, {**_attributes(model), "gen_ai.token.type": kind})

    def chatted(self, span: Span, model: Named, seconds: float, failure: str) -> None:
        error: dict[str, Any] = {"error.type": failure} if failure else {}
        self._duration.record(seconds, {**_attributes(model), **error})
        if failure:
            span.set_attributes(error)
            span.set_status(Status(StatusCode.ERROR))
        span.end()

    def exposition(self) -> tuple[bytes, str]:
        """For Prometheus: the text, and its media type."""
        return generate_latest(self._registry), CONTENT_TYPE_LATEST

    def close(self) -> None:
        """Sends what spans are still here."""
        self.tracers.shutdown()
        self._meters.shutdown()


def _attributes(model: Named) -> dict[str, Any]:
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": model.provider,
        "gen_ai.request.model": model.name,
    }


def otlp(endpoint: str) -> SpanExporter:
    """Imported here, because most processes export nothing."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter(endpoint=endpoint)
