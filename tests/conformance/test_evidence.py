"""Exact is what a scenario shows on a live engine; nothing else may be called so."""

from __future__ import annotations

import pytest

from conformance.harness import accepted_gateway, deviation_of, refused
from conformance.scenario import DUMMIES, all_scenarios
from conformance.variants import Variant, variants
from gwc.support import Conditional, Fidelity, SupportTable
from gwc.target import Target

_SCENARIOS = all_scenarios()


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


@pytest.mark.parametrize("variant", [pytest.param(v, id=v.name) for v in variants()])
def test_exact_is_proven(variant: Variant) -> None:
    unproven = exact_features(variant.target.support(variant.profile)) - proven_features(variant)
    assert sorted(unproven) == [], f"{variant.promise}: exact, but no scenario proves it"


def test_a_stand_in_needs_a_live_run_beside_it() -> None:
    """Continuous integration lacks Kong: its target says which Kong ran the same scenarios, and when."""
    for target in {variant.target.name: variant.target for variant in variants()}.values():
        if _stands_in(target):
            import gwc_kong

            assert gwc_kong.LIVE_EVIDENCE


def _stands_in(target: Target) -> bool:
    return any(v.name.startswith(f"{target.name}-standin") for v in variants())
