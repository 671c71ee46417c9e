"""Every case of every scenario on every gateway: the behaviour that it states, or the refusal that is declared."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import cache

import pytest

from conformance.conftest import SECOND, VERDICT, Launcher, on_each_gateway, skip_where_missing
from conformance.harness import Choice, accepted_gateway, compile_policies, deviation_of, refused
from conformance.pace import EVEN
from conformance.scenario import DUMMIES, Case, Scenario, all_scenarios
from conformance.variants import Variant, layouts, variants
from gwc.diagnostics import Severity
from gwc.support import Fidelity
from gwc.survey import check

_SCENARIOS = all_scenarios()
_SAMPLE = frozenset(
    (
        "auth/any_of",  # scripts that read secrets
        "auth/jwks_url",  # a cluster that a filter asks
        "cache/query",  # internal listeners, scripts that share memory
        "errors/errors",
        "limits/levels",
        "limits/shadow",
        "listen/redirect_hosts",  # a listener without a table of services
        "request_id/from_trusted_proxies",
        "retries/retries",  # hops
        "routing/precedence",  # several virtual hosts
        "stream/events",
        "upstream/tls",
    )
)
"""What runs on a layout, too: whatever reaches Envoy in a file of its own. GWC_CONFORMANCE_LAYOUTS runs all."""


def _cases() -> list[object]:
    """Grouped by gateway, so that each is started once; also when tests are spread over processes."""
    return [
        pytest.param(name, variant, case, id=f"{group}-{case.name}", marks=_marks(group, case))
        for variant in (*variants(), *layouts())
        for name, scenario in _SCENARIOS.items()
        if variant in variants() or name in _SAMPLE or "GWC_CONFORMANCE_LAYOUTS" in os.environ
        for group in [f"{variant.name}-{name}"]
        for case in scenario.cases
    ]


def _marks(group: str, case: Case) -> list[pytest.MarkDecorator]:
    return [pytest.mark.xdist_group(group), *([pytest.mark.slow] if case.slow else [])]


@cache
def _declared(name: str, variant: Variant) -> Mapping[str, Fidelity]:
    """Known before the gateway starts, which it need not for a case that its target refuses."""
    return accepted_gateway(_SCENARIOS[name], variant, DUMMIES)[1]


@pytest.mark.live
@pytest.mark.parametrize(("name", "variant", "case"), _cases())
def test_case(
    name: str,
    variant: Variant,
    case: Case,
    launch: Launcher,
    alone: Launcher,
    record_property: Callable[[str, object], None],
) -> None:
    skip_where_missing(variant)
    if unshown := variant.beyond & {*case.proves}:
        pytest.skip(f"{variant.name} does not imitate {', '.join(sorted(unshown))}")
    if (feature := refused(case, _declared(name, variant))) is not None:
        assert "GWC601" in _codes(_SCENARIOS[name], variant, feature)
        record_property(VERDICT, (variant.name, f"refused for {feature}"))
        return
    gateway = launch(name, variant)
    record_property(VERDICT, (variant.name, "as written"))
    if (deviation := deviation_of(case, variant)) is not None:
        record_property(VERDICT, (variant.name, f"with the bound that {deviation.feature} declares"))
        assert deviation.feature in gateway.declared, f"{variant.promise} declares {deviation.feature} exact"
    faults, waited = gateway.faults_of(variant, case), gateway.waited[case.name]
    if faults and waited > EVEN:
        record_property(SECOND, f"somebody had waited {waited * 1000:.0f} ms for a processor; at first: {faults[0]}")
        gateway = alone(name, variant)
        faults = gateway.faults_alone(variant, case)
    if faults:
        pytest.fail("\n".join([*faults, f"the gateway's files: {gateway.directory}"]), pytrace=False)


def _codes(scenario: Scenario, variant: Variant, feature: str) -> set[str]:
    """What the check says of the feature when nothing is accepted."""
    gateway, _ = compile_policies(scenario, Choice(variant.target.name, variant.profile), DUMMIES)
    assert gateway is not None
    said = check(gateway, variant.target.support(variant.profile))
    return {d.code for d in said if f"accept: [{feature}]" in d.hint}


@on_each_gateway()
@pytest.mark.parametrize("name", _SCENARIOS)
def test_what_is_below_exact_is_said(name: str, variant: Variant) -> None:
    """A warning for each approximate feature, an error for each unsupported one, at a line of the policy."""
    gateway, report = compile_policies(_SCENARIOS[name], Choice(variant.target.name, variant.profile), DUMMIES)
    assert gateway is not None, report.diagnostics
    for diagnostic in check(gateway, variant.target.support(variant.profile)):
        severity = {"GWC601": Severity.ERROR, "GWC602": Severity.WARNING}[diagnostic.code]
        assert diagnostic.severity is severity
        assert diagnostic.span.file.endswith(".yaml")
        assert diagnostic.span.line > 0


def test_deviations_only_below_exact() -> None:
    """A deviation stands beside a promise that allows it, in the table itself: also where no engine is installed."""
    wrong = [
        f"{name}: {case.name}: {variant.promise} promises {deviation.feature} exactly"
        for variant in variants()
        for name, scenario in _SCENARIOS.items()
        for case in scenario.cases
        if (deviation := deviation_of(case, variant)) is not None
        and Fidelity.EXACT in _fidelities(variant, deviation.feature)
    ]
    assert wrong == []


def _fidelities(variant: Variant, feature: str) -> set[Fidelity]:
    entry = variant.target.support(variant.profile).entries[feature]
    cases = getattr(entry, "cases", ())
    return {case.support.fidelity for case in cases} or {entry.fidelity}  # type: ignore[union-attr]
