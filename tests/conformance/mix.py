"""The traffic of traffic.py over one gateway, played once for all tests: what came of it in log and metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import prometheus
from conformance.conftest import Launcher
from conformance.harness import Launched
from conformance.logbook import Line, lines
from conformance.traffic import SCENARIO, Outcome, play
from conformance.variants import Variant
from gwc.ir import Gateway
from gwc.observability import emit
from gwc.observability.metrics import FAMILIES, Family
from gwc.support import Fidelity
from gwc.target import MeasuresInPart
from ports import free_port
from prometheus import Sample


@dataclass(frozen=True, slots=True)
class Mix:
    """`samples`: what a Prometheus that scraped the gateway answers for each name of a family; None without one."""

    gateway: Gateway
    declared: Mapping[str, Fidelity]
    outcomes: Sequence[Outcome]
    lines: Sequence[Line]
    output: str
    samples: Mapping[str, Sequence[Sample]] | None
    broken_rules: Sequence[str]

    @property
    def base(self) -> str:
        return self.gateway.error_type_base

    @property
    def breakers(self) -> Mapping[tuple[str, str], int]:
        """1 for the endpoint whose breaker the traffic opens, 0 for others that have one."""
        return {
            (service.name, str(endpoint.address)): int(service.name == "frail")
            for service in self.gateway.services
            if service.upstream.breaker is not None
            for endpoint in service.upstream.endpoints
        }


_PLAYED: dict[str, Mix] = {}


def mix(variant: Variant, launch: Launcher) -> Mix:
    if variant.name not in _PLAYED:
        _PLAYED[variant.name] = _play(launch(SCENARIO, variant), variant)
    return _PLAYED[variant.name]


def _play(gateway: Launched, variant: Variant) -> Mix:
    outcomes = play(gateway)
    told = lines(gateway, [outcome.id for outcome in outcomes])
    samples, broken = _measured(gateway, variant)
    return Mix(gateway.gateway, gateway.declared, outcomes, told, gateway.running.output(), samples, broken)


def _measured(gateway: Launched, variant: Variant) -> tuple[Mapping[str, Sequence[Sample]] | None, Sequence[str]]:
    if prometheus.binary() is None or "metrics" in variant.beyond:
        return None, ()
    rules, admin = _rules(gateway, variant), gateway.gateway.listen.admin
    place = Path(str(gateway.directory) + "-prometheus")
    with prometheus.scraping(str(admin), gateway.gateway.metrics_path, rules, place, free_port()) as running:
        running.settle()
        broken = [f"{rule['name']}: {rule.get('lastError')}" for rule in running.rules() if rule["health"] != "ok"]
        return {name: running.query(name) for family in FAMILIES for name in names_of(family)}, broken


def _rules(gateway: Launched, variant: Variant) -> Path:
    """The folder with the target's recording rules and the alerts that a build has beside them."""
    alerts = emit.files(gateway.gateway, served(variant)).get(emit.ALERTS)
    place = (gateway.directory / emit.ALERTS).parent
    place.mkdir(exist_ok=True)
    if alerts is not None:
        (place / "alerts.yaml").write_text(alerts.text, encoding="utf-8")
    return place


def served(variant: Variant) -> frozenset[Family]:
    target = variant.target
    return target.families(variant.profile) if isinstance(target, MeasuresInPart) else frozenset(FAMILIES)


def names_of(family: Family) -> list[str]:
    """Of its series."""
    return (
        [f"{family.name}_{part}" for part in ("bucket", "sum", "count")]
        if family.type == "histogram"
        else [family.name]
    )
