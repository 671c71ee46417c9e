"""What a build holds for Prometheus and Grafana: the same for all gateways, less what one of them does not measure."""

from __future__ import annotations

from collections.abc import Mapping

from gwc.ir import Gateway
from gwc.observability import alerts, dashboards
from gwc.observability.metrics import FAMILIES, Family, named_in
from gwc.observability.rules import Group, document
from gwc.target import OutputFile

ALERTS = "prometheus/alerts.yaml"


def files(gateway: Gateway, served: frozenset[Family]) -> Mapping[str, OutputFile]:
    """Alert rules and dashboards by path below `build/<target>/`, for a gateway with the families `served`."""
    if not served:
        return {}
    boards = {f"grafana/{one.name}.json": dashboards.dashboard(gateway, one, served) for one in gateway.services}
    return {ALERTS: _alerts(gateway, served), **boards}


def _alerts(gateway: Gateway, served: frozenset[Family]) -> OutputFile:
    groups = tuple(alerts.groups(gateway))
    if served.issuperset(FAMILIES):
        return document([Group(*one) for one in groups])
    kept = [(name, [rule for rule in rules if named_in(rule.expr) <= served]) for name, rules in groups]
    lost = {rule.name for _, rules in groups for rule in rules if named_in(rule.expr) - served}
    comments = [f"Without {name}: this gateway does not serve all that it looks at." for name in sorted(lost)]
    return document([Group(*one) for one in kept], comments)
