"""Envoy's tree of routes, which stands only where there are many, finds what its list of a few routes does."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.conftest import skip_where_missing
from conformance.harness import Service, launched, refused
from conformance.scenario import SCENARIOS
from conformance.variants import variants
from gwc.target import Artifact
from gwc_envoy import tree

NAMES = (
    *("routing/base_path", "routing/methods", "routing/normalisation", "routing/precedence", "cors/cors"),
    *("retries/retries", "timeouts/timeouts"),  # whose routes go on behind hops, which have trees of their own
)
ENVOY = next(variant for variant in variants() if variant.name == "envoy/default")


@pytest.mark.live
@pytest.mark.parametrize("name", NAMES)
def test_a_tree_finds_what_a_list_does(
    name: str, service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    skip_where_missing(ENVOY)
    monkeypatch.setattr(tree, "FEW", 0)
    with launched(SCENARIOS / f"{name}.yaml", ENVOY, service, tmp_path, change=_with_a_tree) as gateway:
        cases = [case for case in gateway.scenario.cases if refused(case, gateway.declared) is None]
        faults = {case.name: gateway.faults_of(ENVOY, case) for case in cases}
    assert {name: found for name, found in faults.items() if found} == {}
    assert faults


def _with_a_tree(artifact: Artifact) -> Artifact:
    assert '"prefix_match_map"' in artifact.files["envoy.json"].text
    return artifact
