"""A real, small language model behind the service and a real gateway: SmolLM2, through llama.cpp's own server.

What a model says is not judged here, only that it arrives word by word, is paid for, and spends the gateway's budget.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from assistant.gateways import Edge, bearer, edge
from assistant.running import Running
from conformance.variants import Variant, variants
from gwc_assistant.settings import Settings
from storyline.models import SmolLM, switched_on

pytestmark = [pytest.mark.live, pytest.mark.slow, pytest.mark.xdist_group("smollm")]

LIVE = [variant for variant in variants() if variant.name in ("envoy/default", "nginx/njs")]
BUDGET = 1000
"""Units an hour, in the service's policy."""


@pytest.fixture(scope="module")
def smollm() -> Iterator[str]:
    """The URL of its server."""
    if missing := SmolLM.missing():
        pytest.skip(missing)
    with switched_on(SmolLM()) as model:
        yield model.url


@pytest.fixture
def service(smollm: str, run: Callable[[Settings], Running], settings: Settings, tmp_path: Path) -> Running:
    """A unit is so small that one answer is worth more than the budget."""
    (tmp_path / "prices.yaml").write_text("models: {smollm2: {input_per_million: '0.1', output_per_million: '0.4'}}")
    told = {"llm_url": smollm, "llm_model": "smollm2", "llm_first_token": 60, "llm_output_tokens": 100}
    priced = {"prices": tmp_path / "prices.yaml", "unit_usd": "0.00000001", "context_passages": 3}
    return run(Settings.model_validate(settings.model_dump() | told | priced))


@pytest.mark.parametrize("variant", LIVE, ids=[variant.name for variant in LIVE])
def test_it_streams_through_the_gateway_is_in_the_ledger_and_settled_in_the_budget(
    variant: Variant, service: Running, tmp_path: Path
) -> None:
    if missing := variant.missing():
        pytest.skip(missing)
    (tmp_path / "gateway").mkdir()
    with edge(variant, service.url, tmp_path / "gateway") as front:
        response, text, arrived = streamed(front)
        assert response.status_code == 200
        assert text.rstrip().split("\n\n")[-1].startswith("event: usage")
        assert len(arrived) > 3
        assert arrived[-1] - arrived[0] > 0.05  # word by word, and not all at the end
        in_the_ledger(service)
        again, other = (front.ask(user, "What is written in Genesis 1:5?") for user in ("ann", "bob"))
        spent = (429, "urn:gwc:problem:budget-exhausted") if variant.target.name == "nginx" else (200, None)
        assert (again.status_code, again.json().get("type")) == spent  # Envoy takes the route's cost, whatever is said
        assert other.status_code == 200


def streamed(front: Edge) -> tuple[httpx.Response, str, list[float]]:
    """The response, its text, and when each piece arrived."""
    sent, body = bearer("ann", Accept="text/event-stream"), {"question": "What does John 3:16 promise?"}
    text, arrived = "", []
    with front.client.stream("POST", "/assistant/v1/ask", json=body, headers=sent, timeout=120) as response:
        for part in response.iter_text():
            arrived.append(time.monotonic())
            text += part
    return response, text, arrived


def in_the_ledger(service: Running) -> None:
    usage = service.usage()
    (line,) = usage["lines"]
    assert (line["model"], line["estimated"], line["unknown"]) == ("smollm2", 0, 0)
    assert line["input_tokens"] > 100
    assert 0 < line["output_tokens"] <= 100
    assert usage["units"] > BUDGET
