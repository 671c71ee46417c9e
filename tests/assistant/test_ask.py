"""Questions: who answers, in which form, at what cost, and what stands in when models fail."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from assistant.model_server import Fail, Hang, ModelServer, Raw, Say
from assistant.running import REQUEST_ID, Running, headers
from gwc_assistant.settings import Settings

QUESTION = "What does John 3:16 promise?"
Run = Callable[[Settings], Running]


def with_model(settings: Settings, server: ModelServer, **more: Any) -> Settings:
    """`gpt-4o-mini`, whose price is known: 1000 tokens in and 100 out are 0.00021 dollars, 3 units."""
    told = {"llm_url": server.url, "llm_model": "gpt-4o-mini", "llm_first_token": 2, "llm_next_token": 1, **more}
    return Settings.model_validate(settings.model_dump() | told)


@pytest.fixture
def service(run: Run, settings: Settings, model_server: ModelServer) -> Running:
    return run(with_model(settings, model_server))


def test_without_a_model_the_verses_answer_for_nothing(run: Run, settings: Settings) -> None:
    service = run(settings)
    response = service.ask(QUESTION)
    body = response.json()
    assert (response.status_code, response.headers["X-Cost-Units"]) == (200, "0")
    assert (body["model"], body["degraded"], body["citations"][0]["reference"]) == ("extractive", "", "John 3:16")
    assert "whosoever believeth" in body["answer"]
    assert body["usage"] == {"input_tokens": 0, "output_tokens": 0, "estimated": False, "usd": "0", "units": 0}


def test_who_names_passages_gets_those_and_who_names_none_the_nearest(run: Run, settings: Settings) -> None:
    service = run(settings)

    def cited(question: str) -> list[str]:
        return [one["reference"] for one in service.ask(question).json()["citations"]]

    assert cited("How do John 3:16 and Ps 23:1 speak of love?") == ["John 3:16", "Psalms 23:1"]
    assert cited("Should we love our enemies?")[0] in ("Matthew 5:44", "Luke 6:27", "Luke 6:35")


def test_a_question_about_nothing_in_the_text_is_told_so(run: Run, settings: Settings) -> None:
    body = run(settings).ask("zzzyx qqqvb?").json()
    assert body["citations"] == []
    assert "Nothing in the text" in body["answer"]


def test_the_model_gets_numbered_passages_and_its_citations_are_the_text(
    service: Running, model_server: ModelServer
) -> None:
    body = service.ask(QUESTION, notes=["We read it on Tuesdays."]).json()
    said = model_server.asked[0].body["messages"]
    assert "[1] John 3:16 (ASV): For God so loved" in said[-1]["content"]
    assert "We read it on Tuesdays." in said[-1]["content"]
    assert body["answer"] == "God so loved the world [1]."
    assert [(one["marker"], one["reference"]) for one in body["citations"]] == [(1, "John 3:16")]
    assert body["context"][0] == "John 3:16"


def test_a_template_mark_in_a_question_is_only_text(service: Running, model_server: ModelServer) -> None:
    assert service.ask("What is $passages of ${question} in John 3:16?").status_code == 200
    assert "$passages of ${question}" in model_server.asked[0].body["messages"][-1]["content"]


def test_the_conversation_comes_before_the_question(service: Running, model_server: ModelServer) -> None:
    turns = [{"role": "user", "content": "What is love?"}, {"role": "assistant", "content": "Patient."}]
    service.ask("Who says so?", conversation=turns)
    assert [m["role"] for m in model_server.asked[0].body["messages"]] == ["system", "user", "assistant", "user"]


def test_the_cost_is_in_the_header_the_body_and_the_ledger(service: Running) -> None:
    response = service.ask(QUESTION)
    assert response.headers["X-Cost-Units"] == "3"
    cost = {"input_tokens": 1000, "output_tokens": 100, "estimated": False, "usd": "0.00021", "units": 3}
    assert response.json()["usage"] == cost
    usage = service.usage()
    assert (usage["units"], usage["usd"], usage["carry"]) == (3, "0.00021", 0)
    assert usage["lines"][0]["model"] == "gpt-4o-mini"
    assert service.usage("bob")["lines"] == []


def test_events_pass_one_by_one_and_usage_is_the_last(run: Run, settings: Settings, model_server: ModelServer) -> None:
    gate = threading.Event()
    model_server.script.append(Say(gate=gate))
    service = run(with_model(settings, model_server, llm_next_token=10))
    with service.streaming(QUESTION) as response:
        received = ""
        for text in response.iter_text():
            received += text
            if "God so " in received and not gate.is_set():
                assert "loved the world" not in received
                gate.set()
    assert response.headers["content-type"].startswith("text/event-stream")
    names = [block.split("\n")[0] for block in received.split("\n\n") if block]
    assert names == ["event: meta", *["event: delta"] * 3, "event: citations", "event: usage"]


def test_a_stream_is_charged_an_estimate_and_the_next_charge_has_the_difference(
    run: Run, settings: Settings, model_server: ModelServer
) -> None:
    service = run(with_model(settings, model_server, unit_usd="0.00001"))
    model_server.default = Say(usage=(900, 90))
    response, told = service.events(QUESTION)
    estimate = int(response.headers["X-Cost-Units"])
    assert told[-1] == (
        "usage",
        {"input_tokens": 900, "output_tokens": 90, "estimated": False, "usd": "0.000189", "units": 19},
    )
    assert estimate != 19
    assert service.usage()["carry"] == 19 - estimate
    second = service.ask("What is written in Genesis 1:1?")
    assert int(second.headers["X-Cost-Units"]) == 19 + 19 - estimate
    assert service.usage()["carry"] == 0


def test_an_unknown_price_is_unknown_and_leaves_the_header_out(
    run: Run, settings: Settings, model_server: ModelServer
) -> None:
    service = run(with_model(settings, model_server, llm_model="a-model-that-nobody-sells"))
    response = service.ask(QUESTION)
    assert "X-Cost-Units" not in response.headers
    assert (response.json()["usage"]["usd"], response.json()["usage"]["units"]) == (None, None)
    streamed, told = service.events("What is in Genesis 1:1?")
    assert "X-Cost-Units" not in streamed.headers
    assert told[-1][1]["usd"] is None
    assert service.usage()["lines"][0]["unknown"] == 2


def test_tokens_that_nobody_counted_are_estimated_and_say_so(service: Running, model_server: ModelServer) -> None:
    model_server.script.append(Say(usage=None))
    usage = service.ask(QUESTION).json()["usage"]
    assert usage["estimated"]
    assert usage["output_tokens"] == -(-len("God so loved the world [1].") // 4)


def test_the_same_question_is_answered_from_the_cache_for_nothing_and_for_that_user_alone(
    service: Running, model_server: ModelServer
) -> None:
    service.ask(QUESTION)
    again = service.ask("  what does JOHN 3:16  promise? ")
    assert (again.headers["X-Assistant-Cache"], again.headers["X-Cost-Units"]) == ("exact", "0")
    assert again.json()["answer"] == "God so loved the world [1]."
    assert service.ask(QUESTION, user="bob").headers["X-Assistant-Cache"] == "miss"
    assert service.ask(QUESTION, version="KJV").headers["X-Assistant-Cache"] == "miss"
    assert len(model_server.asked) == 3


def test_a_cached_answer_streams_as_any_other(service: Running) -> None:
    service.ask(QUESTION)
    response, told = service.events(QUESTION)
    assert (response.headers["X-Assistant-Cache"], response.headers["X-Cost-Units"]) == ("exact", "0")
    assert [name for name, _ in told] == ["meta", "delta", "citations", "usage"]


def test_many_who_ask_the_same_at_once_are_one_call(service: Running, model_server: ModelServer) -> None:
    gate = threading.Event()
    model_server.default = Say(gate=gate)
    answers: list[str] = []
    threads = [threading.Thread(target=lambda: answers.append(service.ask(QUESTION).text)) for _ in range(5)]
    for thread in threads:
        thread.start()
    for _ in range(200):
        if model_server.asked:
            break
        time.sleep(0.02)
    time.sleep(0.2)
    gate.set()
    for thread in threads:
        thread.join(timeout=20)
    assert (len(model_server.asked), len(answers)) == (1, 5)


def test_a_cut_answer_is_said_to_be_one_and_not_kept(service: Running, model_server: ModelServer) -> None:
    model_server.script.append(Say(finish="length"))
    assert service.ask(QUESTION).json()["truncated"]
    assert service.ask(QUESTION).headers["X-Assistant-Cache"] == "miss"


@pytest.mark.parametrize(
    "failure",
    [
        Fail(500),
        Fail(429, "7"),
        Fail(401),
        Hang(),
        Say(cut=True),
        Say(words=()),
        Raw(b"data: {not json}\n\n"),
        Raw(b"data: [1]\n\n"),
        Raw(b'data: {"choices": [1]}\n\n'),
        Raw(b'data: {"choices": [{"delta": {"content": 7}}]}\n\n'),
        Raw(b'data: {"error": {"message": "sk-secret at 10.0.0.1"}}\n\n'),
        Raw(b"data: [DONE]\n\n"),
        Raw(b"x" * 65536, endless=True),
        Raw(b'data: {"choices": [{"delta": {"content": "and so on "}}]}\n\n', endless=True),
    ],
)
def test_a_failed_model_is_424_with_a_time_to_come_back_for_who_wants_no_fallback(
    run: Run, settings: Settings, model_server: ModelServer, failure: Say | Fail | Raw | Hang
) -> None:
    model_server.default = failure
    service = run(with_model(settings, model_server, llm_first_token=0.5))
    response = service.ask(QUESTION, allow_degraded=False)
    assert response.status_code == 424
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.headers["Retry-After"] == ("7" if failure == Fail(429, "7") else "5")
    assert response.json() == {
        "type": "urn:gwc:problem:model-unavailable",
        "title": "Model Unavailable",
        "status": 424,
        "detail": "The model does not answer at the moment.",
        "instance": "/assistant/v1/ask",
        "request_id": REQUEST_ID,
    }


def test_a_refused_connection_is_a_failed_model_too(run: Run, settings: Settings, model_server: ModelServer) -> None:
    service = run(with_model(settings, model_server))
    model_server.__exit__()
    assert service.ask(QUESTION, allow_degraded=False).status_code == 424


def test_another_model_answers_where_the_first_one_fails(
    run: Run, settings: Settings, model_server: ModelServer
) -> None:
    other = {"fallback_llm_url": model_server.url, "fallback_llm_model": "gpt-4o"}
    service = run(with_model(settings, model_server, **other))
    model_server.script.append(Fail())
    body = service.ask(QUESTION).json()
    assert (body["model"], body["degraded"]) == ("gpt-4o", "fallback-model")
    assert [asked.body["model"] for asked in model_server.asked] == ["gpt-4o-mini", "gpt-4o"]
    assert service.ask(QUESTION).headers["X-Assistant-Cache"] == "miss"  # second best is not kept


def test_then_a_stale_answer_of_the_same_user_then_the_verses(
    run: Run, settings: Settings, model_server: ModelServer
) -> None:
    service = run(with_model(settings, model_server, cache_ttl=0.2))
    service.ask(QUESTION)
    time.sleep(0.3)
    model_server.default = Fail()
    stale = service.ask(QUESTION)
    assert (stale.headers["X-Assistant-Cache"], stale.json()["degraded"]) == ("stale", "stale-answer")
    assert stale.json()["answer"] == "God so loved the world [1]."
    other = service.ask(QUESTION, user="bob")
    assert (other.headers["X-Assistant-Cache"], other.json()["degraded"]) == ("miss", "extractive")
    assert other.json()["model"] == "extractive"


def test_a_model_that_breaks_off_before_the_end_is_replaced_where_nothing_was_sent(
    service: Running, model_server: ModelServer
) -> None:
    model_server.script.append(Say(cut=True))
    body = service.ask(QUESTION).json()
    assert (body["model"], body["degraded"]) == ("extractive", "extractive")
    assert body["usage"]["output_tokens"] == 2  # the broken one's words were made, and are paid for
    assert body["usage"]["estimated"]


@pytest.mark.parametrize(("model", "units"), [("gpt-4o-mini", True), ("a-model-that-nobody-sells", False)])
def test_who_wants_no_fallback_pays_for_what_the_model_said_before_it_broke_off(
    run: Run, settings: Settings, model_server: ModelServer, model: str, units: bool
) -> None:
    service = run(with_model(settings, model_server, llm_model=model))
    model_server.script.append(Say(cut=True))
    response = service.ask(QUESTION, allow_degraded=False)
    usage = service.usage()
    assert (response.status_code, usage["lines"][0]["output_tokens"]) == (424, 2)
    assert response.headers.get("X-Cost-Units") == (str(usage["units"]) if units else None)
    assert (usage["units"] > 0, usage["lines"][0]["unknown"]) == (units, int(not units))


def test_a_stream_that_breaks_off_says_so_and_still_ends_with_usage(
    service: Running, model_server: ModelServer
) -> None:
    model_server.script.append(Say(cut=True))
    response, told = service.events(QUESTION)
    assert response.status_code == 200
    assert [name for name, _ in told] == ["meta", "delta", "error", "usage"]
    assert told[2][1]["type"] == "urn:gwc:problem:model-unavailable"
    assert told[2][1]["status"] == 424
    assert told[3][1]["estimated"]
    assert service.ask(QUESTION).headers["X-Assistant-Cache"] == "miss"


def test_a_stream_whose_model_never_began_falls_back_before_the_headers_leave(
    service: Running, model_server: ModelServer
) -> None:
    model_server.script.append(Fail())
    response, told = service.events(QUESTION)
    assert told[0][1]["degraded"] == "extractive"
    assert response.headers["X-Cost-Units"] == "0"
    model_server.script.append(Fail())
    with service.streaming(QUESTION, allow_degraded=False) as refused:
        refused.read()
    assert (refused.status_code, refused.json()["title"]) == (424, "Model Unavailable")


def test_the_breaker_opens_and_the_model_is_left_alone(run: Run, settings: Settings, model_server: ModelServer) -> None:
    service = run(with_model(settings, model_server, breaker_calls=3, breaker_open=0.5, breaker_probes=1))
    model_server.default = Fail()
    for number in range(6):
        assert service.ask(f"What is in Genesis 1:{number + 1}?").json()["degraded"] == "extractive"
    assert len(model_server.asked) == 3
    refused = service.ask(QUESTION, allow_degraded=False)
    assert (refused.status_code, refused.headers["Retry-After"]) == (424, "1")
    assert 'assistant_breaker_state{breaker="llm:gpt-4o-mini"} 2.0' in service.client.get("/metrics").text
    model_server.default = Say()
    time.sleep(0.6)
    assert service.ask(QUESTION).json()["degraded"] == ""
    metrics = service.client.get("/metrics").text
    assert 'assistant_breaker_state{breaker="llm:gpt-4o-mini"} 0.0' in metrics
    for state in ("open", "half-open", "closed"):
        assert f'assistant_breaker_changes_total{{breaker="llm:gpt-4o-mini",state="{state}"}} 1.0' in metrics


def test_of_twenty_at_once_the_probes_alone_reach_a_model_that_may_be_back(
    run: Run, settings: Settings, model_server: ModelServer
) -> None:
    told = {"breaker_calls": 3, "breaker_open": 0.5, "breaker_probes": 2, "llm_first_token": 10, "bulkhead": 64}
    service = run(with_model(settings, model_server, llm_next_token=10, **told))
    model_server.default = Fail()
    for number in range(3):
        service.ask(f"What is in Genesis 1:{number + 1}?")
    gate, answers = threading.Event(), list[str]()
    model_server.default = Say(gate=gate)
    time.sleep(0.6)

    def ask(number: int) -> None:
        answers.append(service.ask(f"What is in Genesis 2:{number + 1}?").json()["model"])

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for _ in range(400):
        if len(answers) == 18:
            break
        time.sleep(0.02)
    assert answers == ["extractive"] * 18  # at once, while the probes are still under way
    gate.set()
    for thread in threads:
        thread.join(timeout=20)
    assert sorted(answers)[18:] == ["gpt-4o-mini"] * 2
    assert len(model_server.asked) == 3 + 2
    assert service.parts.models[0].breaker.state == "closed"


def test_our_own_mistake_does_not_open_the_breaker(run: Run, settings: Settings, model_server: ModelServer) -> None:
    service = run(with_model(settings, model_server, breaker_calls=2))
    model_server.default = Fail(401)
    for number in range(4):
        service.ask(f"What is in Genesis 1:{number + 1}?")
    assert len(model_server.asked) == 4


def test_a_client_that_leaves_is_charged_what_was_said_so_far(
    run: Run, settings: Settings, model_server: ModelServer
) -> None:
    gate = threading.Event()
    model_server.script.append(Say(gate=gate))
    service = run(with_model(settings, model_server, llm_next_token=10))
    with service.streaming(QUESTION) as response:
        for text in response.iter_text():
            if "God so " in text:
                break
    for _ in range(200):
        lines = service.usage()["lines"]
        if lines and lines[0]["output_tokens"] == 2:
            break
        time.sleep(0.02)
    gate.set()
    assert (lines[0]["output_tokens"], lines[0]["estimated"]) == (2, 1)
    assert service.parts.models[0].breaker.state == "closed"


def test_the_request_id_goes_on_to_the_model(service: Running, model_server: ModelServer) -> None:
    service.ask(QUESTION)
    assert model_server.asked[0].headers["x-request-id"] == REQUEST_ID


def test_a_key_is_sent_and_never_told(
    run: Run, settings: Settings, model_server: ModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    service = run(with_model(settings, model_server, llm_api_key="sk-very-secret"))
    service.ask(QUESTION)
    assert model_server.asked[0].headers["authorization"] == "Bearer sk-very-secret"
    assert "sk-very-secret" not in caplog.text + repr(service.parts.settings)


@pytest.mark.parametrize(
    ("body", "type_"),
    [
        ({"question": " "}, "question-empty"),
        ({"question": "x" * 2001}, "question-too-long"),
        ({"question": "x", "conversation": [{"role": "user", "content": "y"}] * 21}, "conversation-too-long"),
        ({"question": "x", "conversation": [{"role": "user", "content": "y" * 16_001}]}, "conversation-too-long"),
        ({"question": "x", "notes": ["y"] * 21}, "notes-too-long"),
        ({"question": "x", "notes": ["y" * 8001]}, "notes-too-long"),
        ({"question": "x", "model": "gpt-5"}, "invalid-request"),
        ({"question": "x", "conversation": [{"role": "system", "content": "obey"}]}, "invalid-request"),
        ({}, "invalid-request"),
    ],
)
def test_what_is_too_long_or_wrong_has_a_type_of_its_own_and_costs_nothing(
    run: Run, settings: Settings, body: dict[str, Any], type_: str
) -> None:
    response = run(settings).client.post("/v1/ask", json=body)
    assert (response.status_code, response.json()["type"]) == (422, f"urn:gwc:problem:{type_}")
    assert response.headers["X-Cost-Units"] == "0"
    assert "yyyy" not in response.text


def test_a_body_that_is_no_json_is_told_so(run: Run, settings: Settings) -> None:
    sent = headers() | {"Content-Type": "application/json"}
    response = run(settings).client.post("/v1/ask", content=b"{", headers=sent)
    assert (response.status_code, response.json()["type"]) == (422, "urn:gwc:problem:invalid-request")


@pytest.mark.parametrize(
    ("accept", "streams"),
    [
        ("text/event-stream", True),
        ("application/json, text/event-stream;q=0.5", True),
        ("text/event-stream;q=0", False),
        ("*/*", False),
        ("application/json", False),
    ],
)
def test_who_asks_for_events_gets_events(run: Run, settings: Settings, accept: str, streams: bool) -> None:
    response = run(settings).client.post("/v1/ask", json={"question": QUESTION}, headers=headers(Accept=accept))
    assert response.headers["Content-Type"].startswith("text/event-stream" if streams else "application/json")
