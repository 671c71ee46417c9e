"""Dashboards: Grafana's shape, queries that Prometheus parses, and only what the service's policy uses."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import accept
import promtool
from gwc.ir import Gateway
from gwc.observability import emit
from gwc.observability.dashboards import Above, Guards, panels
from gwc.observability.metrics import CACHE, FAMILIES, Family, named_in
from gwc.observability.rules import Group, Recording, document
from testkit import gateway

ALL = frozenset(FAMILIES)
BARE = """\
apiVersion: gwc/v1
kind: Service
service: bare
upstream: http://127.0.0.1:1
routes: [{name: one, path: /one, methods: [GET]}]
"""


def dashboards(given: Gateway, served: frozenset[Family] = ALL) -> dict[str, dict[str, Any]]:
    """By the name of the service."""
    files = emit.files(given, served)
    return {Path(path).stem: json.loads(file.text) for path, file in files.items() if path.startswith("grafana/")}


def queries(board: dict[str, Any]) -> list[str]:
    return [target["expr"] for panel in board["panels"] for target in panel["targets"]]


@pytest.fixture(scope="module")
def boards() -> dict[str, dict[str, Any]]:
    return dashboards(accept.gateway(None))


def test_one_a_service_each_with_an_identity_of_its_own(boards: dict[str, dict[str, Any]]) -> None:
    assert set(boards) == {service.name for service in accept.gateway(None).services}
    assert len({board["uid"] for board in boards.values()}) == len(boards)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,40}", board["uid"]) for board in boards.values())
    assert len({board["title"] for board in boards.values()}) == len(boards)


def test_the_data_source_is_the_readers_choice(boards: dict[str, dict[str, Any]]) -> None:
    for board in boards.values():
        variables = {one["name"]: one for one in board["templating"]["list"]}
        assert (variables["datasource"]["type"], variables["datasource"]["query"]) == ("datasource", "prometheus")
        asked = [*board["panels"], *(target for panel in board["panels"] for target in panel["targets"])]
        sources = [one["datasource"] for one in (*asked, variables["route"])]
        assert all(source == {"type": "prometheus", "uid": "${datasource}"} for source in sources)


def test_panels_stand_side_by_side(boards: dict[str, dict[str, Any]]) -> None:
    for board in boards.values():
        assert board["schemaVersion"] == 38
        assert {panel["type"] for panel in board["panels"]} <= {"timeseries", "state-timeline"}
        assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
        cells = [
            (panel["gridPos"]["x"] + x, panel["gridPos"]["y"] + y)
            for panel in board["panels"]
            for x in range(panel["gridPos"]["w"])
            for y in range(panel["gridPos"]["h"])
        ]
        assert len(cells) == len(set(cells)), "panels lie over one another"
        assert all(x < 24 for x, _ in cells)
        for panel in board["panels"]:
            assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"]) > 0
            assert panel["title"] and panel["description"]


def test_every_query_is_promql_over_our_families(boards: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    """Grafana's variables replaced as it does, and each query made a rule of its own, which promtool parses."""
    found = [query for board in boards.values() for query in queries(board)]
    assert frozenset().union(*map(named_in, found)) == ALL, "every family has a panel somewhere"
    filled = [query.replace("$__rate_interval", "1m").replace("$route", "(a|b)") for query in found]
    assert not any("$" in query for query in filled)
    rules = [Recording(f"query_{number}", query) for number, query in enumerate(filled)]
    (tmp_path / "queries.yaml").write_text(document([Group("queries", rules)]).text, encoding="utf-8")
    assert promtool.check_rules(tmp_path / "queries.yaml") == ""


def test_what_a_service_does_not_use_has_no_panel() -> None:
    titles = [panel["title"] for panel in dashboards(gateway(BARE))["bare"]["panels"]]
    assert titles == ["Requests", "Failures", "Latency", "Latency by route", "Tries for each request"]


def test_what_a_gateway_does_not_serve_has_no_panel() -> None:
    board = dashboards(accept.gateway(None), ALL - {CACHE})["assistant"]
    assert not any(CACHE.name in query for query in queries(board))
    assert len(board["panels"]) > 5
    assert emit.files(accept.gateway(None), frozenset()) == {}


@pytest.mark.parametrize("text", ['"}], "x": [', "${datasource}", "</script>", "\u2028", "\\", "emoji \U0001f680"])
def test_texts_of_people_stay_texts(text: str) -> None:
    service = json.loads(json.dumps({"owner": text, "description": text}))
    written = BARE + "".join(f"{key}: {json.dumps(value, ensure_ascii=False)}\n" for key, value in service.items())
    board = dashboards(gateway(written))["bare"]
    assert (board["description"], board["tags"]) == (text, ["gwc", text])
    assert board["panels"][0]["title"] == "Requests"


@pytest.mark.parametrize("name", ["a", "name-of", "name-of-the-service", "x" * 63])
def test_what_services_share_is_that_of_each(name: str) -> None:
    given = gateway(BARE.replace("bare", name))
    expected = [
        query.expr for panel in panels(name, Guards.of(Above.of(given), given.services[0])) for query in panel.queries
    ]
    assert queries(dashboards(given)[name]) == expected
