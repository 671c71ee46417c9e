"""The promises, and that what is below exact says so."""

from __future__ import annotations

import pytest

from gwc.features import FEATURES
from gwc.support import Conditional, Fidelity, Support
from gwc.survey import check
from gwc_nginx import TARGET
from unit.nginx.gateways import gateway, route

NO_EXCUSE = (
    *("path", "methods", "hosts", "base_path", "errors", "errors.upstream", "request_id", "identity.user_header"),
    *("timeouts.connect", "stream", "retries.when", "retries.attempts", "retries.unsafe", "headers.request"),
)


def promises(entry: Support | Conditional) -> tuple[Support, ...]:
    return (entry,) if isinstance(entry, Support) else (entry.usual, *(case.support for case in entry.cases))


@pytest.mark.parametrize("profile", TARGET.profiles)
def test_every_feature_has_a_promise_and_every_shortfall_a_reason(profile: str) -> None:
    entries = TARGET.support(profile).entries
    assert entries.keys() == FEATURES.keys()
    for name, entry in entries.items():
        for promise in promises(entry):
            assert promise.fidelity is Fidelity.EXACT or len(promise.note) > 40, name


@pytest.mark.parametrize("name", NO_EXCUSE)
def test_exact_with_no_excuse(name: str) -> None:
    assert promises(TARGET.support("njs").entries[name]) == (Support(Fidelity.EXACT),)


def test_a_use_below_exact_is_said_at_its_line() -> None:
    found = gateway({"routes": [route(limits=[{"per": "ip", "rate": "5/s"}])]})
    said = [d for d in check(found, TARGET.support("plain")) if "accept: [limits.ip]" in d.hint]
    assert [(d.code, d.span.file) for d in said] == [("GWC601", "main.yaml")]


def test_names_are_said_to_be_asked_of_fixed_servers() -> None:
    said = list(check(gateway({"upstream": "http://service.invalid:8000"}), TARGET.support("njs")))
    assert any("127.0.0.53" in d.message and d.code == "GWC602" for d in said)


@pytest.mark.parametrize("profile", TARGET.profiles)
def test_the_smallest_policy_needs_no_excuse(profile: str) -> None:
    """Metrics are on by default: what they lack is a warning."""
    assert not [d.message for d in check(gateway(), TARGET.support(profile)) if d.code == "GWC601"]


@pytest.mark.parametrize("profile", TARGET.profiles)
def test_metrics_have_no_place_among_the_gateway_s_own_paths(profile: str) -> None:
    said = check(gateway(metrics={"path": "/_gwc/watch"}), TARGET.support(profile))
    assert [d.code for d in said if "choose another metrics.path" in d.message] == ["GWC601"]
