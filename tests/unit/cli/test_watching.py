"""gwc compile: alert rules and dashboards beside the configuration of every gateway that measures."""

from __future__ import annotations

import json

from gwc.observability.metrics import BREAKER_OPEN, FAMILIES

from .conftest import Gwc, Project
from .fakes import FakeTarget

NOW = "--now=2026-11-23"
ALL = frozenset(FAMILIES)


def test_each_gateway_gets_rules_and_a_dashboard_a_service(
    gwc: Gwc, project: Project, targets: dict[str, FakeTarget]
) -> None:
    targets["alpha"].measured = targets["beta"].measured = ALL
    gwc("compile", NOW)
    built = {path for path in project.tree() if "grafana" in path or "prometheus" in path}
    assert built == {f"{t}/{f}" for t in ("alpha", "beta") for f in ("prometheus/alerts.yaml", "grafana/shop.json")}
    manifest = json.loads((project.build / "manifest.json").read_text())
    assert {"prometheus/alerts.yaml", "grafana/shop.json"} <= manifest["targets"]["alpha"]["files"].keys()
    rules = [(project.build / name / "prometheus/alerts.yaml").read_text() for name in ("alpha", "beta")]
    assert rules[0] == rules[1]
    assert "Written in shop.yaml:" in rules[0], "no path of this checkout"
    assert gwc("compile", NOW, "--check").code == 0


def test_the_dashboard_of_a_service_that_is_gone_goes(
    gwc: Gwc, project: Project, targets: dict[str, FakeTarget]
) -> None:
    targets["alpha"].measured = ALL
    gwc("compile", NOW)
    project.replace("shop.yaml", "service: shop", "service: store")
    gwc("compile", NOW)
    assert [path for path in project.tree() if "grafana" in path] == ["alpha/grafana/store.json"]


def test_a_new_owner_makes_the_rules_stale(gwc: Gwc, project: Project, targets: dict[str, FakeTarget]) -> None:
    targets["alpha"].measured = ALL
    gwc("compile", NOW)
    project.replace("shop.yaml", "owner: team-shop", "owner: team-store")
    differing = json.loads(gwc("compile", NOW, "--check", "--format", "json").out)["result"]["differences"]
    assert {"file": "alpha/prometheus/alerts.yaml", "state": "stale"} in differing


def test_what_a_gateway_does_not_measure_is_not_watched_and_the_file_says_so(
    gwc: Gwc, project: Project, targets: dict[str, FakeTarget]
) -> None:
    project.replace(
        "shop.yaml",
        "upstream: http://127.0.0.1:8000",
        "upstream: {endpoints: [{url: 'http://127.0.0.1:8000'}], breaker: {failures: 5, open: 10s}}",
    )
    targets["alpha"].measured, targets["beta"].measured = ALL, ALL - {BREAKER_OPEN}
    gwc("compile", NOW)
    told, kept = ((project.build / name / "prometheus/alerts.yaml").read_text() for name in ("alpha", "beta"))
    assert "'GwcBreakerOpen'" in told and "# Without" not in told
    assert "'GwcBreakerOpen'" not in kept and kept.startswith("# Without GwcBreakerOpen: this gateway")
    boards = [(project.build / name / "grafana/shop.json").read_text() for name in ("alpha", "beta")]
    assert ["gwc_breaker_open" in board for board in boards] == [True, False]
