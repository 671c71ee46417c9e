"""The model says what the scenarios expect, which real gateways are held to as well."""

from __future__ import annotations

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


REASONS = {
    "a client that leaves",
    "a conditional or partial request",
    "a credential that is not plainly good",
    "a header that repeats",
    "a preflight",
    "a silence that is too long",
    "a slow client",
    "a target that is no path",
    "a WebSocket",
    "active health checks",
    "an answer without an end",
    "an upstream that breaks off",
    "an upstream that changes between tries",
    "an upstream that nobody reaches",
    "gRPC",
    "proxies that name the client",
    "retries and breakers",
    "several credentials",
    "the admin listener",
    "the TLS listener",
    "what an HTTP parser judges",
}


def test_most_cases_can_be_expressed_and_each_other_one_has_its_reason() -> None:
    reasons = [reason for reason, _ in (judged(*one) for one in CASES)]
    assert set(reasons) - {""} <= REASONS
    assert reasons.count("") > len(CASES) / 2
    judging = ("limits/", "budget/", "concurrency/")
    guarded = [reason for (name, _), reason in zip(CASES, reasons, strict=True) if name.startswith(judging)]
    assert guarded.count("") > len(guarded) * 0.8, "what the model is for"
