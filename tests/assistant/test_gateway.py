"""Both halves together: what the service says means to a real gateway what it should."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from assistant.gateways import Edge, bearer, edge
from assistant.model_server import Fail, ModelServer, Say
from assistant.running import Running
from assistant.test_ask import QUESTION, with_model
from conformance.variants import Variant, variants
from gwc_assistant.settings import Settings

pytestmark = pytest.mark.live
LIVE = [variant for variant in variants() if variant.name in ("envoy/default", "nginx/njs")]


@pytest.fixture(params=LIVE, ids=[variant.name for variant in LIVE])
def variant(request: pytest.FixtureRequest) -> Variant:
    found: Variant = request.param
    if missing := found.missing():
        pytest.skip(missing)
    return found


@pytest.fixture
def service(run: Callable[[Settings], Running], settings: Settings, model_server: ModelServer) -> Running:
    return run(with_model(settings, model_server, breaker_calls=100, llm_next_token=10))


@pytest.fixture
def gateway(variant: Variant, service: Running, tmp_path: Path) -> Iterator[Edge]:
    directory = tmp_path / "gateway"
    directory.mkdir()
    with edge(variant, service.url, directory) as front:
        yield front


def test_a_failed_dependency_passes_untouched_is_not_tried_again_and_opens_no_breaker(
    gateway: Edge, model_server: ModelServer
) -> None:
    model_server.default = Fail(500, "7")
    for number in range(8):  # the policy's breaker opens after five failures in a row
        response = gateway.ask(f"user-{number}", QUESTION, allow_degraded=False)
        assert response.status_code == 424
        assert response.headers["Retry-After"] == "7"
        assert response.headers["Content-Type"] == "application/problem+json"
        assert response.json()["type"] == "urn:gwc:problem:model-unavailable"
        assert response.json()["instance"] == "/assistant/v1/ask"
        assert response.json()["request_id"] == response.headers["X-Request-ID"]
    assert len(model_server.asked) == 8
    assert gateway.client.get("/assistant/v1/scripture/John%203:16").status_code == 200


def test_events_pass_the_gateway_one_by_one_and_costs_stay_inside(gateway: Edge, model_server: ModelServer) -> None:
    gate = threading.Event()
    model_server.script.append(Say(gate=gate))
    received = ""
    sent = bearer("ann", Accept="text/event-stream")
    with gateway.client.stream("POST", "/assistant/v1/ask", json={"question": QUESTION}, headers=sent) as response:
        for text in response.iter_text():
            received += text
            if "God so " in received and not gate.is_set():
                assert "loved the world" not in received
                gate.set()
    assert "X-Cost-Units" not in response.headers
    assert received.count("event: delta") == 3
    assert received.rstrip().split("\n\n")[-1].startswith("event: usage")


def test_the_text_is_public_and_kept_at_the_edge(gateway: Edge, service: Running) -> None:
    path = "/assistant/v1/scripture/search?q=love%20your%20enemies&limit=1"
    for target in ("/assistant/v1/scripture/Ps%2023;%201%20Cor%2013?version=KJV", path, "/assistant/v1/prompts/ask"):
        first, second = gateway.client.get(target), gateway.client.get(target)
        assert (first.status_code, first.headers["X-Cache"], second.headers["X-Cache"]) == (200, "MISS", "HIT")
        assert second.headers["ETag"] == first.headers["ETag"]
        again = gateway.client.get(target, headers={"If-None-Match": first.headers["ETag"]})
        assert again.status_code == 304
        assert gateway.client.head(target).status_code == 200


def test_the_user_is_the_tokens_and_nobody_elses(gateway: Edge) -> None:
    assert gateway.ask("ann", QUESTION).status_code == 200
    own = gateway.client.get("/assistant/v1/usage", headers=bearer("ann", **{"X-User-Id": "bob"})).json()
    other = gateway.client.get("/assistant/v1/usage", headers=bearer("bob", **{"X-User-Id": "ann"})).json()
    assert (own["units"], other["units"]) == (3, 0)
    assert gateway.client.get("/assistant/v1/usage", headers={"X-User-Id": "ann"}).status_code == 401


def test_what_is_the_platforms_cannot_be_reached_from_outside(gateway: Edge) -> None:
    for path in ("/metrics", "/openapi.json", "/healthz", "/readyz", "/v1/scripture/a/b"):
        assert gateway.client.get(f"/assistant{path}", headers=bearer("ann")).status_code == 404


@pytest.mark.parametrize(
    "variant", [one for one in LIVE if one.target.name == "nginx"], ids=["nginx/njs"], indirect=True
)
def test_what_an_answer_costs_is_settled_in_the_gateways_budget(
    run: Callable[[Settings], Running], settings: Settings, model_server: ModelServer, variant: Variant, tmp_path: Path
) -> None:
    """1000 units an hour and user: an answer for 2100 spends them, and nobody else's."""
    service = run(with_model(settings, model_server, unit_usd="0.0000001"))
    (tmp_path / "gateway").mkdir()
    with edge(variant, service.url, tmp_path / "gateway") as front:
        assert front.ask("ann", QUESTION).status_code == 200
        refused = front.ask("ann", "What is written in Genesis 1:1?")
        assert (refused.status_code, refused.json()["type"]) == (429, "urn:gwc:problem:budget-exhausted")
        assert front.ask("bob", QUESTION).status_code == 200
    assert len(model_server.asked) == 2
