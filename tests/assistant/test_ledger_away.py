"""The service on PostgreSQL, and while that is away: nobody is answered for nothing, and nobody pays twice."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from assistant.model_server import ModelServer, Say
from assistant.postgres import Postgres
from assistant.running import SECRET, Running, headers, process_of
from gwc_assistant.settings import Settings

Run = Callable[[Settings], Running]
QUESTION = "What does John 3:16 promise?"


def with_ledger(settings: Settings, server: ModelServer, url: str, **more: Any) -> Settings:
    told = {"llm_url": server.url, "llm_model": "gpt-4o-mini", "embedder": "lexical", "ledger_url": url, **more}
    return Settings.model_validate(settings.model_dump() | told)


@pytest.fixture
def service(run: Run, settings: Settings, model_server: ModelServer, postgres: Postgres) -> Iterator[Running]:
    yield run(with_ledger(settings, model_server, postgres.database()))
    postgres.start()  # for the next test


def test_what_is_asked_is_in_it(service: Running) -> None:
    assert service.ask(QUESTION).headers["X-Cost-Units"] == "3"
    response, events = service.events("Who was Noah?")
    assert events[-1][0] == "usage"
    usage = service.usage()
    assert [line["requests"] for line in usage["lines"]] == [2]
    assert usage["units"] == 6
    assert usage["carry"] == 6 - 3 - int(response.headers["X-Cost-Units"])


def test_while_it_is_away_no_model_is_asked_and_the_gateway_hears_of_a_dependency(
    service: Running, model_server: ModelServer, postgres: Postgres
) -> None:
    assert service.ask(QUESTION).status_code == 200
    postgres.kill()
    assert service.ask("Who was Noah?").status_code == 424  # that was the one by which it was noticed
    asked = len(model_server.asked)
    with service.streaming("Who was Lot?") as streamed:
        streamed.read()
    for response in (service.ask("Who was Lot?"), streamed, service.client.get("/v1/usage")):
        assert (response.status_code, response.json()["type"]) == (424, "urn:gwc:problem:ledger-unavailable")
        assert int(response.headers["Retry-After"]) >= 1
        assert response.headers["X-Cost-Units"] == "0"
        assert "postgres" not in response.text.lower()
    assert len(model_server.asked) == asked
    assert service.client.get("/v1/scripture/John 3:16").status_code == 200
    assert service.client.get("/readyz").status_code == 200
    postgres.start()
    assert service.ask("Who was Lot?").status_code == 200
    assert service.usage()["lines"][0]["requests"] == 2


def test_a_stream_that_cannot_be_settled_ends_whole_and_stays_as_estimated(
    service: Running, model_server: ModelServer, postgres: Postgres
) -> None:
    gate = threading.Event()
    model_server.script.append(Say(gate=gate))
    with service.streaming(QUESTION) as response:
        told = int(response.headers["X-Cost-Units"])
        postgres.kill()
        gate.set()
        response.read()
    assert response.text.rstrip().split("\n\n")[-1].startswith("event: usage")
    postgres.start()
    usage = service.usage()
    assert (usage["units"], usage["carry"], usage["lines"][0]["estimated"]) == (told, 0, 1)


def test_a_service_that_is_killed_in_a_stream_leaves_its_estimate_to_the_next_one(
    run: Run, settings: Settings, model_server: ModelServer, postgres: Postgres
) -> None:
    url = postgres.database()
    told = {"GATEWAY_SECRET": SECRET, "DATA_DIR": str(settings.data_dir), "LEDGER_URL": url, "EMBEDDER": "lexical"}
    told |= {"LLM_URL": model_server.url, "LLM_MODEL": "gpt-4o-mini"}
    model_server.script.append(Say(gate=threading.Event()))
    sent = headers(Accept="text/event-stream")
    with process_of(told) as process:
        process.until_ready()
        body = {"question": QUESTION}
        with httpx.stream("POST", f"{process.url}/v1/ask", json=body, headers=sent, trust_env=False) as response:
            reported = int(response.headers["X-Cost-Units"])
            process.process.kill()
            process.process.wait(timeout=20)
    usage = run(with_ledger(settings, model_server, url)).usage()
    assert (usage["units"], usage["carry"], usage["lines"][0]["estimated"]) == (reported, 0, 1)


def test_a_wrong_address_of_the_ledger_does_not_start(settings: Settings) -> None:
    with pytest.raises(ValueError, match="ledger_url") as raised:
        Settings.model_validate(settings.model_dump() | {"ledger_url": "mysql://me:hunter2@somewhere/db"})
    assert "hunter2" not in str(raised.value)
    with pytest.raises(ValueError, match="sums are kept after charges"):
        Settings.model_validate(settings.model_dump() | {"ledger_charges_days": 90, "ledger_sums_days": 31})
