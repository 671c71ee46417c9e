"""The layers over HTTP: what `X-Assistant-Cache` says, and what the metrics count."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from assistant.model_server import Fail, ModelServer
from assistant.running import Running
from gwc_assistant.settings import Settings
from ratelimit_double import Redis, redis_missing

Run = Callable[[Settings], Running]

DAVID, DAVID_AGAIN, ANOTHER = "Who was David's father?", "Who is the father of David?", "Who is the mother of David?"


def settings_with(settings: Settings, server: ModelServer, **more: Any) -> Settings:
    told = {"llm_url": server.url, "llm_model": "gpt-4o-mini", **more}
    return Settings.model_validate(settings.model_dump() | told)


@pytest.fixture
def redis() -> Iterator[Redis]:
    pytest.importorskip("redis")
    if missing := redis_missing():
        pytest.skip(missing)
    server = Redis(password="of the tests").start()
    yield server
    server.stop()


def layer(service: Running, question: str, **more: Any) -> str:
    response = service.ask(question, **more)
    assert response.status_code == 200
    return str(response.headers["X-Assistant-Cache"])


def counted(service: Running, name: str) -> dict[str, float]:
    """Of a counter with one label, its values."""
    text = service.client.get("/metrics").text
    found = re.findall(rf'^{name}_total\{{\w+="([^"]+)"\}} (\S+)$', text, re.MULTILINE)
    return {label: float(value) for label, value in found}


def test_each_layer_says_its_name(run: Run, settings: Settings, model_server: ModelServer) -> None:
    service = run(settings_with(settings, model_server))
    assert layer(service, DAVID) == "miss"
    assert layer(service, f"  {DAVID.upper()}") == "exact"
    assert layer(service, DAVID_AGAIN) == "semantic"
    assert layer(service, ANOTHER) == "miss"
    assert layer(service, DAVID_AGAIN, user="another") == "miss"
    assert layer(service, DAVID_AGAIN, version="KJV") == "miss"
    assert layer(service, DAVID_AGAIN, notes=["It is written on the wall."]) == "miss"
    assert len(model_server.asked) == 5
    assert counted(service, "assistant_cache_semantic") == {"hit": 1}
    assert counted(service, "assistant_cache_answers") == {"miss": 5, "exact": 1, "semantic": 1}


def test_a_semantic_hit_costs_nothing_and_cites_what_was_cited(
    run: Run, settings: Settings, model_server: ModelServer
) -> None:
    service = run(settings_with(settings, model_server))
    made, found = service.ask(DAVID), service.ask(DAVID_AGAIN)
    assert (found.headers["X-Assistant-Cache"], found.headers["X-Cost-Units"]) == ("semantic", "0")
    assert found.json()["answer"] == made.json()["answer"]
    assert found.json()["citations"] == made.json()["citations"]


def test_switched_off_and_in_shadow_a_paraphrase_is_a_question_of_its_own(
    run: Run, settings: Settings, model_server: ModelServer
) -> None:
    for mode, seen in (("off", {}), ("shadow", {"shadow-hit": 1, "shadow-agreed": 1})):
        service = run(settings_with(settings, model_server, semantic_cache=mode))
        assert [layer(service, question) for question in (DAVID, DAVID_AGAIN)] == ["miss", "miss"]
        assert counted(service, "assistant_cache_semantic") == seen


def test_an_old_answer_to_a_paraphrase_stands_in_for_a_model_that_fails(
    run: Run, settings: Settings, model_server: ModelServer
) -> None:
    service = run(settings_with(settings, model_server, cache_ttl=1e-6, cache_stale=60))
    assert layer(service, DAVID) == "miss"
    model_server.default = Fail()
    response = service.ask(DAVID_AGAIN)
    assert (response.headers["X-Assistant-Cache"], response.json()["degraded"]) == ("stale", "stale-answer")
    assert layer(service, DAVID_AGAIN, user="another") == "miss"


def test_two_processes_share_their_answers_in_redis_and_do_without(
    run: Run, settings: Settings, model_server: ModelServer, redis: Redis
) -> None:
    url = redis.url.replace("redis://", "redis://:of%20the%20tests@")
    one, other = (run(settings_with(settings, model_server, redis_url=url)) for _ in range(2))
    assert layer(one, DAVID) == "miss"
    assert layer(other, DAVID) == "exact"
    assert layer(other, DAVID_AGAIN) == "semantic"
    redis.stop()
    assert layer(one, DAVID) == "exact"
    assert layer(other, ANOTHER) == "miss"


def test_the_context_of_a_question_is_assembled_once_for_all_users(
    run: Run, settings: Settings, model_server: ModelServer
) -> None:
    service = run(settings_with(settings, model_server))
    searches = 0
    search = service.parts.corpus.search

    def counting(*arguments: Any) -> Any:
        nonlocal searches
        searches += 1
        return search(*arguments)

    service.parts.corpus.search = counting
    for user in ("ann", "bob", "eve"):
        assert layer(service, DAVID, user=user) == "miss"
    said = [{"role": "user", "content": "Let us speak of kings."}]
    assert layer(service, DAVID, user="bob", conversation=said, notes=["Bethlehem"]) == "miss"
    assert searches == 1
    assert layer(service, DAVID, user="bob", version="KJV") == "miss"
    assert searches == 2
