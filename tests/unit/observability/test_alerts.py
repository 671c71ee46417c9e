"""Alert rules: Prometheus takes them, they fire when they should and not before, and nothing escapes its quotes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

import accept
import promtool
from compiling import emitted
from gwc.compile import compile_sources
from gwc.diagnostics import Report
from gwc.discovery import load_targets
from gwc.ir import Gateway
from gwc.observability import emit
from gwc.observability.metrics import FAMILIES, named_in
from gwc.parts import Assembled
from gwc.source import Source
from gwc.target import Target
from testkit import NOW, gateway

ALL = frozenset(FAMILIES)
TARGETS = [one.target for one in load_targets(())]
PLATFORM = """\
apiVersion: gwc/v1
kind: Platform
listen: {http: "127.0.0.1:8080"}
defaults: {auth: none}
concurrency: 100
limits: [{per: ip, rate: 100/s}]
identity: {api_key: {header: X-API-Key, consumers: [{name: one, secret: {env: ONE}}]}}
"""
SHOP = """\
apiVersion: gwc/v1
kind: Service
service: shop
owner: team-shop
upstream:
  endpoints: [{url: "http://127.0.0.1:8000"}, {url: "http://127.0.0.1:8001"}]
  concurrency: 10
  breaker: {failures: 5, open: 10s}
auth: {any_of: [api_key]}
timeouts: {request: 2s}
limits: [{per: user, rate: 5/s}, {per: user, rate: 2/s, mode: shadow}]
budget: {per: user, units: 100/hour}
routes:
  - {name: goods, path: /goods, methods: [GET], limits: [{per: {header: X-Tenant}, rate: 10/min}]}
  - {name: order, path: /order, methods: [POST], timeouts: {request: 60s}}
  - {name: news, path: /news, methods: [GET], stream: true}
"""


def rules_of(given: Gateway) -> Assembled:
    return emit.files(given, ALL)[emit.ALERTS]


def alerts_of(given: Gateway) -> list[dict[str, Any]]:
    groups = yaml.safe_load(rules_of(given).text)["groups"]
    return [rule for group in groups for rule in group["rules"]]


@pytest.fixture(scope="module")
def shop() -> str:
    return rules_of(gateway(SHOP, platform=PLATFORM)).text


def fires(
    directory: Path, rules: str, name: str, series: dict[str, str], at: str, expected: list[dict[str, Any]]
) -> str:
    """What promtool has against: after `at` of `series`, alerts called `name` fire with the labels of `expected`."""
    inputs = [{"series": one, "values": values} for one, values in series.items()]
    wanted = {"eval_time": at, "alertname": name, "exp_alerts": expected}
    return promtool.run_rules(
        directory, rules, [{"interval": "1m", "input_series": inputs, "alert_rule_test": [wanted]}]
    )


def annotated(shop: str, name: str, number: int = 0, **expanded: str) -> dict[str, str]:
    """The annotations of a rule, with its templates replaced."""
    rules = [rule for group in yaml.safe_load(shop)["groups"] for rule in group["rules"] if rule["alert"] == name]
    found: dict[str, str] = rules[number]["annotations"]
    expansion = {r"\$value[^}]*": expanded["value"], **{rf"\$labels\.{k} ": v for k, v in expanded.items()}}
    for pattern, text in expansion.items():
        found = {key: re.sub(r"\{\{ " + pattern + r"\}\}", text, value) for key, value in found.items()}
    return found


@pytest.mark.parametrize("environment", accept.ENVIRONMENTS, ids=["base", "prod"])
@pytest.mark.parametrize(
    ("target", "profile"),
    [pytest.param(t, profile, id=f"{t.name}-{profile}") for t in TARGETS for profile in t.profiles],
)
def test_prometheus_takes_every_rule_of_the_examples(
    target: Target, profile: str, environment: str | None, tmp_path: Path
) -> None:
    """The recording rules that a target emits, too."""
    given = accept.gateway(environment)
    found = {**emit.files(given, ALL), **emitted(given, target, profile).files}
    rules = {path: file for path, file in found.items() if path.startswith("prometheus/")}
    assert emit.ALERTS in rules
    for path, file in rules.items():
        (tmp_path / Path(path).name).write_text(file.text, encoding="utf-8")
        assert promtool.check_rules(tmp_path / Path(path).name) == ""


def test_every_policy_that_guards_has_its_alert() -> None:
    found = {(rule["alert"], rule["labels"].get("limit", "")) for rule in alerts_of(gateway(SHOP, platform=PLATFORM))}
    assert found == {
        *(("GwcNoMetrics", ""), ("GwcLimitRefusing", "platform/0"), ("GwcOverloaded", "concurrency")),
        *(("GwcErrorBudgetBurn", ""), ("GwcSlow", ""), ("GwcNoTraffic", ""), ("GwcBreakerOpen", "")),
        *(("GwcCircuitOpen", ""), ("GwcOverloaded", "upstream.concurrency"), ("GwcBudgetRefusing", "budget")),
        *(("GwcLimitRefusing", "service/shop/0"), ("GwcShadowLimitWouldRefuse", "service/shop/1")),
        ("GwcLimitRefusing", "route/shop/goods/0"),
    }


def test_every_alert_of_a_service_has_its_owner_and_names_the_line() -> None:
    for rule in alerts_of(gateway(SHOP, platform=PLATFORM)):
        assert rule["labels"]["severity"] in ("page", "ticket", "info")
        assert rule["labels"].get("owner") == ("team-shop" if "service" in rule["labels"] else None)
        line = re.search(r"Written in (\d)\.yaml:(\d+)\.$", rule["annotations"]["description"])
        assert line is not None and rule["annotations"]["summary"] and rule["annotations"]["hint"]
        if rule["labels"].get("limit") == "route/shop/goods/0":
            assert line.groups() == ("0", "14")


def test_lines_lead_back_to_the_policies() -> None:
    given = gateway(SHOP, platform=PLATFORM)
    file = rules_of(given)
    for number, text in enumerate(file.text.splitlines(), 1):
        if "Written in" in text:
            assert f"Written in {file.lines[number].file}:{file.lines[number].line}." in text


def test_a_service_without_guards_has_few_alerts() -> None:
    bare = (
        "apiVersion: gwc/v1\nkind: Service\nservice: bare\nupstream: http://127.0.0.1:1\n"
        + SHOP[SHOP.index("routes") :]
    )
    bare = bare.replace(", limits: [{per: {header: X-Tenant}, rate: 10/min}]", "")
    found = [rule for rule in alerts_of(gateway(bare)) if "service" in rule["labels"]]
    assert {rule["alert"] for rule in found} == {"GwcErrorBudgetBurn", "GwcSlow", "GwcNoTraffic"}
    assert all("owner" not in rule["labels"] for rule in found), "an empty label is none"


BURN = {"alertname": "GwcErrorBudgetBurn", "service": "shop", "owner": "team-shop", "severity": "page", "window": "1h"}


def test_burning_fast_wakes_somebody(shop: str, tmp_path: Path) -> None:
    series = {
        'gwc_requests_total{service="shop",route="goods",status="2xx"}': "0+900x120",
        'gwc_requests_total{service="shop",route="goods",status="5xx"}': "0+100x120",
    }
    labels = {key: value for key, value in BURN.items() if key != "alertname"}
    page = {"exp_labels": labels, "exp_annotations": annotated(shop, "GwcErrorBudgetBurn", value="10%")}
    also = {
        "exp_labels": {**labels, "window": "6h"},
        "exp_annotations": annotated(shop, "GwcErrorBudgetBurn", 1, value="10%"),
    }
    slow = {
        "exp_labels": {**labels, "window": "3d", "severity": "ticket"},
        "exp_annotations": annotated(shop, "GwcErrorBudgetBurn", 2, value="10%"),
    }
    assert fires(tmp_path, shop, "GwcErrorBudgetBurn", series, "120m", [page, also, slow]) == ""


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("0+1000x120", "0+0x120"),
        ("0+9999x120", "0+5x120"),  # half of what the objective leaves
        ("0+5x120", "0+0x50 1+0x70"),  # one failure among few requests
        ("0+900x120", "0+100x20 2000+0x100"),  # over for an hour and a half
    ],
)
def test_what_burns_nothing_wakes_nobody(shop: str, tmp_path: Path, good: str, bad: str) -> None:
    series = {
        'gwc_requests_total{service="shop",route="goods",status="2xx"}': good,
        'gwc_requests_total{service="shop",route="goods",status="5xx"}': bad,
    }
    page = re.sub(
        r"(?s)      - alert: 'GwcErrorBudgetBurn'\n(?:(?!      - alert).)*severity: 'ticket'.*?(?=      - alert)",
        "",
        shop,
    )
    assert "severity: 'page'\n          window: '1h'" in page and "window: '3d'" not in page
    assert fires(tmp_path, page, "GwcErrorBudgetBurn", series, "120m", []) == ""


def test_failures_of_another_service_are_not_ours(shop: str, tmp_path: Path) -> None:
    series = {'gwc_requests_total{service="other",route="goods",status="5xx"}': "0+100x120"}
    assert fires(tmp_path, shop, "GwcErrorBudgetBurn", series, "120m", []) == ""


def test_a_breaker_that_stays_open(shop: str, tmp_path: Path) -> None:
    series = {
        'gwc_breaker_open{service="shop",endpoint="127.0.0.1:8000"}': "0 0 1+0x20",
        'gwc_breaker_open{service="shop",endpoint="127.0.0.1:8001"}': "0 0 1 0+0x20",  # once
    }
    fired = {
        "exp_labels": {
            "service": "shop", "owner": "team-shop", "severity": "ticket", "endpoint": "127.0.0.1:8000",
        },
        "exp_annotations": annotated(shop, "GwcBreakerOpen", value="", endpoint="127.0.0.1:8000"),
    }  # fmt: skip
    assert fires(tmp_path, shop, "GwcBreakerOpen", series, "1m", []) == ""
    assert fires(tmp_path, shop, "GwcBreakerOpen", series, "20m", [fired]) == ""


def test_no_endpoint_is_left(shop: str, tmp_path: Path) -> None:
    series = {'gwc_limit_refusals_total{service="shop",route="goods",limit="breaker"}': "0+0x10 0+1x20"}
    labels = {"service": "shop", "owner": "team-shop", "severity": "page"}
    fired = {"exp_labels": labels, "exp_annotations": annotated(shop, "GwcCircuitOpen", value="")}
    assert fires(tmp_path, shop, "GwcCircuitOpen", series, "10m", []) == ""
    assert fires(tmp_path, shop, "GwcCircuitOpen", series, "20m", [fired]) == ""


REFUSALS = [
    ("GwcLimitRefusing", 1, "route", "service/shop/0", "ticket"),
    ("GwcLimitRefusing", 2, "goods", "route/shop/goods/0", "ticket"),
    ("GwcBudgetRefusing", 0, "route", "budget", "ticket"),
    ("GwcOverloaded", 1, "route", "upstream.concurrency", "page"),
]


@pytest.mark.parametrize(("name", "number", "route", "limit", "severity"), REFUSALS)
def test_a_limit_that_refuses_a_tenth(
    shop: str, tmp_path: Path, name: str, number: int, route: str, limit: str, severity: str
) -> None:
    series = {
        'gwc_requests_total{service="shop",route="goods",status="2xx"}': "0+90x60",
        'gwc_requests_total{service="shop",route="goods",status="4xx"}': "0+10x60",
        f'gwc_limit_refusals_total{{service="shop",route="goods",limit="{limit}"}}': "0+10x60",
    }
    labels = {"service": "shop", "owner": "team-shop", "severity": severity, "limit": limit}
    labels |= {"route": "goods"} if route == "goods" else {}
    fired = {"exp_labels": labels, "exp_annotations": annotated(shop, name, number, value="10%")}
    assert fires(tmp_path, shop, name, series, "4m", []) == "", "not at once"
    assert fires(tmp_path, shop, name, series, "60m", [fired]) == ""
    fewer = {**series, next(reversed(series)): "0+0x60"}
    assert fires(tmp_path, shop, name, fewer, "60m", []) == ""


def test_the_platforms_limit_counts_all_services(shop: str, tmp_path: Path) -> None:
    series = {
        'gwc_requests_total{service="shop",route="goods",status="4xx"}': "0+10x60",
        'gwc_requests_total{service="other",route="",status="2xx"}': "0+90x60",
        'gwc_limit_refusals_total{service="shop",route="goods",limit="platform/0"}': "0+10x60",
    }
    fired = {
        "exp_labels": {"severity": "ticket", "limit": "platform/0"},
        "exp_annotations": annotated(shop, "GwcLimitRefusing", 0, value="10%"),
    }
    assert fires(tmp_path, shop, "GwcLimitRefusing", series, "60m", [fired]) == ""


def test_a_shadow_limit_that_would_refuse(shop: str, tmp_path: Path) -> None:
    series = {
        'gwc_requests_total{service="shop",route="goods",status="2xx"}': "0+100x120",
        'gwc_limit_shadowed_total{service="shop",route="goods",limit="service/shop/1"}': "0+50x120",
    }
    labels = {"service": "shop", "owner": "team-shop", "severity": "info", "limit": "service/shop/1"}
    fired = {"exp_labels": labels, "exp_annotations": annotated(shop, "GwcShadowLimitWouldRefuse", value="50%")}
    assert fires(tmp_path, shop, "GwcShadowLimitWouldRefuse", series, "120m", [fired]) == ""


@pytest.mark.parametrize("bound", ["1", "1.0"], ids=["Prometheus 2", "Prometheus 3"])
def test_slow_by_the_histogram(shop: str, tmp_path: Path, bound: str) -> None:
    name = "gwc_request_duration_seconds"
    series = {
        f'{name}_bucket{{service="shop",route="goods",le="{bound}"}}': "0+80x60",
        f'{name}_bucket{{service="shop",route="goods",le="+Inf"}}': "0+100x60",
        f'{name}_count{{service="shop",route="goods"}}': "0+100x60",
    }
    labels = {"service": "shop", "owner": "team-shop", "severity": "ticket", "timeout": "2s", "route": "goods"}
    fired = {"exp_labels": labels, "exp_annotations": annotated(shop, "GwcSlow", value="20%", route="goods")}
    assert fires(tmp_path, shop, "GwcSlow", series, "60m", [fired]) == ""


def test_slow_by_the_mean_where_no_bound_fits(shop: str, tmp_path: Path) -> None:
    name = "gwc_request_duration_seconds"
    series = {
        f'{name}_sum{{service="shop",route="order"}}': "0+400x60",
        f'{name}_count{{service="shop",route="order"}}': "0+10x60",
    }
    labels = {"service": "shop", "owner": "team-shop", "severity": "ticket", "timeout": "60s", "route": "order"}
    fired = {"exp_labels": labels, "exp_annotations": annotated(shop, "GwcSlow", 1, value="40s", route="order")}
    assert fires(tmp_path, shop, "GwcSlow", series, "60m", [fired]) == ""


def test_streams_are_never_slow() -> None:
    slow = [rule["expr"] for rule in alerts_of(gateway(SHOP, platform=PLATFORM)) if rule["alert"] == "GwcSlow"]
    assert len(slow) == 2 and not any("news" in expr for expr in slow)


def test_a_service_that_nobody_asks_for_any_more(shop: str, tmp_path: Path) -> None:
    series = {
        'gwc_requests_total{service="shop",route="goods",status="2xx"}': "0+60x1440 86400+0x60",
        'gwc_requests_total{service="other",route="goods",status="2xx"}': "0+60x1500",
    }
    labels = {"service": "shop", "owner": "team-shop", "severity": "ticket"}
    fired = {"exp_labels": labels, "exp_annotations": annotated(shop, "GwcNoTraffic", value="")}
    assert fires(tmp_path, shop, "GwcNoTraffic", series, "1440m", []) == ""
    assert fires(tmp_path, shop, "GwcNoTraffic", series, "1495m", [fired]) == ""


def test_gateways_that_nobody_scrapes(shop: str, tmp_path: Path) -> None:
    fired = {"exp_labels": {"severity": "page"}, "exp_annotations": annotated(shop, "GwcNoMetrics", value="")}
    assert fires(tmp_path, shop, "GwcNoMetrics", {"up": "1+0x60"}, "60m", [fired]) == ""
    assert fires(tmp_path, shop, "GwcNoMetrics", {"gwc_requests_total": "0+0x60"}, "60m", []) == ""


HOSTILE = [
    "{{ $value }}",
    "a: b # c",
    "'",
    '"',
    "\\",
    "{{",
    "}}",
    "\u2028\x85",
    "${datasource}",
    "[[x]]",
    "emoji \U0001f680",
]


@pytest.mark.parametrize("owner", HOSTILE)
def test_no_owner_escapes_its_quotes(owner: str, tmp_path: Path) -> None:
    written = json.dumps(owner, ensure_ascii=max(owner) < "\U00010000")  # YAML knows no surrogates
    text = SHOP.replace("owner: team-shop", f"owner: {written}")
    given = gateway(text, platform=PLATFORM)
    rules = rules_of(given).text
    labels = {"service": "shop", "owner": owner, "severity": "page"}
    fired = {"exp_labels": labels, "exp_annotations": annotated(rules, "GwcCircuitOpen", value="")}
    series = {'gwc_limit_refusals_total{service="shop",route="goods",limit="breaker"}': "0+1x20"}
    assert fires(tmp_path, rules, "GwcCircuitOpen", series, "20m", [fired]) == ""


def test_no_file_name_escapes_its_quotes(tmp_path: Path) -> None:
    name = "{{ $value }}'\"\\.yaml"
    report = Report()
    sources = (Source(f"policies/{name}", SHOP), Source("platform.yaml", PLATFORM))
    given = compile_sources(sources, environment=None, now=NOW, report=report)
    assert given is not None
    rules = rules_of(given).text
    expected = {**annotated(rules, "GwcCircuitOpen", value="")}
    line = re.search(r"yaml:(\d+)\.$", expected["description"])
    assert line is not None
    expected["description"] = f"The breakers of all endpoints are open at the same time. Written in {name}:{line[1]}."
    labels = {"service": "shop", "owner": "team-shop", "severity": "page"}
    fired = {"exp_labels": labels, "exp_annotations": expected}
    series = {'gwc_limit_refusals_total{service="shop",route="goods",limit="breaker"}': "0+1x20"}
    assert fires(tmp_path, rules, "GwcCircuitOpen", series, "20m", [fired]) == ""


def test_route_names_that_look_like_metrics() -> None:
    given = gateway(SHOP.replace("name: order", "name: gwc_order"), platform=PLATFORM)
    for rule in alerts_of(given):
        assert named_in(rule["expr"]) <= ALL
