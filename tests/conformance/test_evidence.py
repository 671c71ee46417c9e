"""Exact is what a scenario shows on a live engine; nothing else may be called so."""

from __future__ import annotations

import re

import pytest

import gwc_kong
from conformance.conftest import on_each_gateway
from conformance.harness import accepted_gateway, deviation_of, refused
from conformance.scenario import DUMMIES, all_scenarios
from conformance.variants import Variant, variants
from gwc.support import Conditional, Fidelity, SupportTable

_SCENARIOS = all_scenarios()
_TWO_GATEWAYS = {"limits.cluster", "budget.cluster"}
"""Proven by test_cluster.py: a scenario has one gateway process only."""
_BESIDE_ANSWERS = {"access_log", "tracing"}
"""Proven by test_access_log.py and test_tracing.py: a scenario sees what the client and the service see."""


def exact_features(table: SupportTable) -> set[str]:
    """Those that the table promises exactly, at least in the usual case."""
    usual = {name: e.usual if isinstance(e, Conditional) else e for name, e in table.entries.items()}
    return {name for name, support in usual.items() if support.fidelity is Fidelity.EXACT}


def proven_features(variant: Variant) -> set[str]:
    """Those that some case proves on this variant as the language means them: not refused, no deviation."""
    proven: set[str] = set()
    for scenario in _SCENARIOS.values():
        _, declared = accepted_gateway(scenario, variant, DUMMIES)
        for case in scenario.cases:
            if refused(case, declared) is None and deviation_of(case, variant) is None:
                proven.update(case.proves)
    return proven


@on_each_gateway()
def test_exact_is_proven(variant: Variant) -> None:
    elsewhere = _TWO_GATEWAYS | _BESIDE_ANSWERS
    unproven = exact_features(variant.target.support(variant.profile)) - proven_features(variant) - elsewhere
    assert sorted(unproven) == [], f"{variant.promise}: exact, but no scenario proves it"


def test_a_stand_in_has_the_real_engine_s_evidence_beside_it() -> None:
    """Continuous integration lacks Kong: its target says what a real one, and which, has shown."""
    if not any(variant.target.name == "kong" for variant in variants()):
        pytest.skip("GWC_CONFORMANCE leaves Kong out")
    assert any(variant.name.startswith("kong-standin/") for variant in variants())
    assert re.search(r"Kong .*\d+\.\d+", gwc_kong.LIVE_EVIDENCE)
