"""The metric families of every gateway, as a real Prometheus has them after the traffic of traffic.py."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import pytest

import prometheus
from conformance.conftest import Launcher, on_each_gateway, skip_where_missing
from conformance.logbook import expected
from conformance.mix import Mix, mix, names_of, served
from conformance.variants import Variant
from gwc.observability import metrics
from gwc.observability.metrics import FAMILIES, Family
from gwc.support import Fidelity
from prometheus import Sample

Key = tuple[str, ...]


@pytest.fixture
def measured(variant: Variant, launch: Launcher) -> Mix:
    skip_where_missing(variant)
    if "metrics" in variant.beyond:
        pytest.skip(f"{variant.name} does not imitate metrics")
    if prometheus.binary() is None:
        pytest.skip(prometheus.MISSING)
    return mix(variant, launch)


pytestmark = pytest.mark.live
by_variant = on_each_gateway("mix")


def _numbers(played: Mix, family: Family) -> Mapping[Key, float]:
    """What is not zero, by the values of the family's labels."""
    assert played.samples is not None
    found = {
        tuple(one.labels.get(name, "") for name in family.labels): one.value for one in played.samples[family.name]
    }
    return {key: value for key, value in found.items() if value}


def _counted(played: Mix, family: Family) -> Mapping[Key, float]:
    """What the visits of the mix come to, by the same labels."""
    said = [expected(outcome, played.base) for outcome in played.outcomes]
    return Counter(key for line in said for key in _counts(family, line))


def _counts(family: Family, line: Mapping[str, object]) -> Iterable[Key]:
    """The labels of each time that the family counts this line."""
    at = (str(line["service"]), str(line["route"]))
    status = str(line["status"] or 499)[0] + "xx"  # of a client that left
    shadowed, attempts, cost = line["shadowed_by"], line["attempts"], line["cost"] or 0
    assert isinstance(shadowed, list) and isinstance(attempts, int) and isinstance(cost, int)
    found: dict[Family, Iterable[Key]] = {
        metrics.REQUESTS: [(*at, status)],
        metrics.REFUSALS: [(*at, str(line["limited_by"]))] if line["limited_by"] else [],
        metrics.SHADOWED: [(*at, limit) for limit in shadowed],
        metrics.CACHE: [(*at, str(line["cache"]).lower())] if line["cache"] else [],
        metrics.ATTEMPTS: [at] * attempts,
        metrics.BUDGET_UNITS: [at] * cost,
    }
    return found[family]


COUNTERS = [family for family in FAMILIES if family.type == "counter"]


@by_variant
@pytest.mark.parametrize("family", COUNTERS, ids=lambda family: family.name)
def test_counts_what_happened(variant: Variant, measured: Mix, family: Family) -> None:
    if family not in served(variant):
        assert measured.declared.get("metrics") is not None, "exact is all of the families"
        return
    assert _numbers(measured, family) == _counted(measured, family)


@by_variant
def test_labels_are_those_of_the_policies(variant: Variant, measured: Mix) -> None:
    """No label more, and no value that a client could choose. Prometheus has no empty labels."""
    assert measured.samples is not None
    for family in FAMILIES:
        own = {*family.labels, *(["le"] if family.type == "histogram" else [])}
        for name in names_of(family):
            for sample in measured.samples[name]:
                assert {*sample.labels} <= (own if name.endswith("_bucket") else {*family.labels}), name
    words = {value for samples in measured.samples.values() for sample in samples for value in sample.labels.values()}
    assert not any("s3cret" in word or word == "red" or word.startswith("127.0.4") for word in words)


@by_variant
def test_the_histogram_has_every_request(variant: Variant, measured: Mix) -> None:
    if metrics.DURATION not in served(variant):
        return
    assert measured.samples is not None
    counts = _of(measured, "_count")
    requests: Counter[Key] = Counter()
    for key, number in _counted(measured, metrics.REQUESTS).items():
        requests[key[:2]] += int(number)
    assert counts == requests
    took: dict[Key, list[float]] = {}
    for outcome in measured.outcomes:
        service, _, route = outcome.visit.at.partition("/")
        took.setdefault((service, route), []).append(outcome.response.elapsed)
    sums = _of(measured, "_sum")
    assert sums.keys() <= took.keys()
    for key, durations in took.items():
        assert sums.get(key, 0) == pytest.approx(sum(durations), abs=0.25 * len(durations)), key
        for bound in metrics.DURATION_BOUNDS:
            below = _bucket(measured, key, metrics.bound_text(bound))
            surely, perhaps = (sum(one + slack <= bound for one in durations) for slack in (0.05, -0.25))
            assert surely <= below <= perhaps, (key, bound)
        assert _bucket(measured, key, "+Inf") == len(durations)


def at(sample: Sample) -> Key:
    return (sample.labels.get("service", ""), sample.labels.get("route", ""))


def _of(measured: Mix, part: str) -> Mapping[Key, float]:
    assert measured.samples is not None
    found = measured.samples[metrics.DURATION.name + part]
    return {at(one): one.value for one in found if one.value}


def _bucket(measured: Mix, key: Key, bound: str) -> float:
    assert measured.samples is not None
    found = [
        sample.value
        for sample in measured.samples[f"{metrics.DURATION.name}_bucket"]
        if (*at(sample), sample.labels["le"]) == (*key, bound)
    ]
    assert len(found) == 1, (key, bound, found)
    return found[0]


@by_variant
def test_open_breakers_show(variant: Variant, measured: Mix) -> None:
    if metrics.BREAKER_OPEN not in served(variant) or measured.declared.get("upstream.breaker") is Fidelity.UNSUPPORTED:
        return
    assert measured.samples is not None
    shown = {(one.labels["service"], one.labels["endpoint"]): one.value for one in measured.samples["gwc_breaker_open"]}
    assert shown == measured.breakers


@by_variant
def test_prometheus_evaluates_every_rule_that_is_emitted(variant: Variant, measured: Mix) -> None:
    assert list(measured.broken_rules) == []
