"""The model says what the scenarios expect, which real gateways are held to as well."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from functools import cache

import pytest

from conformance.scenario import all_scenarios
from model.staging import InexpressibleError, faults, gateway_of

SCENARIOS = all_scenarios()
CASES = [(name, case.name) for name, scenario in SCENARIOS.items() for case in scenario.cases]


@cache
def judged(name: str, case_name: str) -> tuple[str, tuple[str, ...]]:
    """Why the case cannot be expressed, and where the model parts from it."""
    scenario = SCENARIOS[name]
    case = next(case for case in scenario.cases if case.name == case_name)
    try:
        return "", tuple(faults(case, scenario, gateway_of(scenario)))
    except InexpressibleError as reason:
        return str(reason), ()


@pytest.mark.parametrize(("name", "case"), CASES, ids=[f"{name}-{case}" for name, case in CASES])
def test_the_model_agrees(name: str, case: str) -> None:
    reason, found = judged(name, case)
    if reason:
        pytest.skip(reason)
    assert not found, "\n".join(found)


BEYOND = {
    "a client that leaves": 2,
    "a name server": 3,
    "a slow client": 4,
    "a target that is no path": 4,
    "a TLS handshake": 16,
    "active health checks": 2,
    "gRPC": 3,
    "the admin listener": 7,
    "the messages of a WebSocket": 3,
    "the share of retries in a load": 2,
    "what an HTTP parser judges": 29,
    "which of several endpoints is asked": 10,
}
"""What a model without a network cannot know, and in how many cases that stands in the way. None grows unseen."""


def test_nearly_every_case_can_be_expressed_and_each_other_one_has_its_reason() -> None:
    reasons = Counter(reason for reason, _ in (judged(*one) for one in CASES))
    agreed = reasons.pop("")
    assert not {reason: number for reason, number in reasons.items() if number > BEYOND.get(reason, 0)}
    assert agreed > 0.85 * len(CASES)


def test_the_judge_of_the_live_gateways_finds_a_model_that_forgets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of these once, and a scenario notices."""
    for what, broken in FORGETTING.items():
        with monkeypatch.context() as patch:
            patch.setattr(what, broken)
            assert found_by_any(), what


def _nothing(*_: object, **__: object) -> tuple[()]:
    return ()


FORGETTING: dict[str, object] = {
    "gwc.model.origins._naming": _nothing,
    "gwc.model.edge.outlives": lambda headers: headers,
    "gwc.model.edge.conditional": _nothing,
    "gwc.model.tries._again": lambda *_: False,
    "gwc.model.tries.Line._count": lambda *_: None,
    "gwc.model.forwarding._listed": lambda query, _: query,
    "gwc.model.clients.Clients.trusts": lambda *_: False,
}
SHOWING = ("cors/cors", "errors/errors", "cache/conditional", "retries/retries", "breaker/breaker", "cache/query",
           "headers/trusted_proxies", "limits/proxies")  # fmt: skip


def found_by_any() -> bool:
    for name in SHOWING:
        scenario = SCENARIOS[name]
        gateway = gateway_of(scenario)
        for case in scenario.cases:
            with suppress(InexpressibleError):
                if list(faults(case, scenario, gateway)):
                    return True
    return False
