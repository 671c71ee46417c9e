"""Spans: below the gateway's and never without it; named as the GenAI conventions name them."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind

from assistant.model_server import Fail, ModelServer, Say
from assistant.running import Running, headers
from assistant.test_ask import QUESTION, with_model
from gwc_assistant.settings import Settings

Run = Callable[[Settings], Running]
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def asked(service: Running, flags: str | None, question: str = QUESTION) -> dict[str, ReadableSpan]:
    traced = {} if flags is None else {"traceparent": f"00-{TRACE}-{PARENT}-{flags}"}
    service.client.post("/v1/ask", json={"question": question}, headers=headers(**traced))
    for _ in range(100):
        service.parts.telemetry.tracers.force_flush()
        spans = {span.name: span for span in service.spans.get_finished_spans()}
        if flags != "01" or any(span.kind is SpanKind.SERVER for span in spans.values()):
            break  # the server's span ends a moment after the client has the answer
        time.sleep(0.02)
    return spans


def test_every_span_is_in_the_gateways_trace(run: Run, settings: Settings, model_server: ModelServer) -> None:
    spans = asked(run(with_model(settings, model_server)), "01")
    assert set(spans) == {"POST /v1/ask", "cache lookup", "retrieval", "chat gpt-4o-mini"}
    assert {format(span.context.trace_id, "032x") for span in spans.values()} == {TRACE}
    server = spans.pop("POST /v1/ask")
    assert server.parent is not None
    assert format(server.parent.span_id, "016x") == PARENT
    assert {span.parent.span_id for span in spans.values() if span.parent} == {server.context.span_id}


def test_a_chat_span_has_the_conventions_attributes_and_no_words(
    run: Run, settings: Settings, model_server: ModelServer
) -> None:
    span = asked(run(with_model(settings, model_server)), "01")["chat gpt-4o-mini"]
    assert dict(span.attributes or {}) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 1000,
        "gen_ai.usage.output_tokens": 100,
    }


def test_a_failed_chat_says_why(run: Run, settings: Settings, model_server: ModelServer) -> None:
    model_server.default = Fail()
    span = asked(run(with_model(settings, model_server)), "01")["chat gpt-4o-mini"]
    assert (span.attributes or {})["error.type"] == "status"
    assert not span.status.is_ok
    assert span.events == ()


@pytest.mark.parametrize("flags", ["00", None])
def test_what_the_gateway_did_not_sample_makes_no_span(
    run: Run, settings: Settings, model_server: ModelServer, flags: str | None
) -> None:
    assert asked(run(with_model(settings, model_server)), flags) == {}


def test_the_trace_goes_on_to_the_model(run: Run, settings: Settings, model_server: ModelServer) -> None:
    spans = asked(run(with_model(settings, model_server)), "01")
    _, trace, parent, flags = model_server.asked[0].headers["traceparent"].split("-")
    assert (trace, flags[-1]) == (TRACE, "1")
    assert parent == format(spans["chat gpt-4o-mini"].context.span_id, "016x")


def test_metrics_count_tokens_time_cost_and_layers(run: Run, settings: Settings, model_server: ModelServer) -> None:
    service = run(with_model(settings, model_server))
    for _ in range(2):
        service.ask(QUESTION)
    model_server.default = Fail()
    service.ask("What is written in Genesis 1:1?")
    model_server.default = Say()
    text = service.client.get("/metrics").text
    of_model = 'gen_ai_operation_name="chat",gen_ai_provider_name="openai",gen_ai_request_model="gpt-4o-mini"'
    for line in (
        f'gen_ai_client_token_usage_sum{{{of_model},gen_ai_token_type="input"}} 1000.0',
        f'gen_ai_client_operation_duration_seconds_count{{error_type="",{of_model}}} 1.0',
        f'gen_ai_client_token_usage_bucket{{{of_model},gen_ai_token_type="input",le="1024.0"}} 1.0',
        f'gen_ai_client_operation_duration_seconds_count{{error_type="status",{of_model}}} 1.0',
        'assistant_cache_answers_total{layer="exact"} 1.0',
        'assistant_cache_answers_total{layer="miss"} 2.0',
        'assistant_cost_USD_total{model="gpt-4o-mini"} 0.00021',
        'assistant_fallbacks_total{reason="status",to="extractive"} 1.0',
        'assistant_breaker_state{breaker="llm:gpt-4o-mini"} 0.0',
    ):
        assert line in text, text


def test_a_question_in_other_words_is_embedded_and_no_model_is_asked(
    run: Run, settings: Settings, model_server: ModelServer
) -> None:
    service = run(with_model(settings, model_server, embedder="lexical"))
    service.ask("Who was David's father?")
    spans = asked(service, "01", "Who is the father of David?")
    assert set(spans) == {"POST /v1/ask", "cache lookup", "retrieval", "embeddings lexical-256-1"}
    assert dict(spans["embeddings lexical-256-1"].attributes or {}) == {
        "gen_ai.operation.name": "embeddings",
        "gen_ai.request.model": "lexical-256-1",
    }
    assert {format(span.context.trace_id, "032x") for span in spans.values()} == {TRACE}
