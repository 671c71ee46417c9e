"""Panels of a Grafana dashboard, for Grafana 10 and later: they differ in title, queries and unit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

Json = dict[str, Any]
SOURCE: Json = {"type": "prometheus", "uid": "${datasource}"}
"""The data source that the reader picks at the top of the dashboard."""

WIDTH, HEIGHT = 12, 8
"""Of a panel, in Grafana's grid of 24 columns."""


@dataclass(frozen=True, slots=True)
class Query:
    """`legend` names a series; `{{label}}` is the label's value."""

    expr: str
    legend: str


@dataclass(frozen=True, slots=True)
class Panel:
    """One graph. `about` is what the reader sees beside the title."""

    title: str
    about: str
    unit: Literal["reqps", "s", "percentunit", "short"]
    queries: Sequence[Query]
    kind: Literal["timeseries", "state-timeline"] = "timeseries"
    stacked: bool = False


def printed(panel: Panel, number: int) -> Json:
    """The panel as Grafana's JSON; `number` counts from 0 and is its place, two in a row."""
    row, column = divmod(number, 24 // WIDTH)
    return {
        "id": number + 1,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.about,
        "datasource": SOURCE,
        "gridPos": {"h": HEIGHT, "w": WIDTH, "x": column * WIDTH, "y": row * HEIGHT},
        "fieldConfig": {"defaults": _defaults(panel), "overrides": []},
        "options": _options(panel),
        "targets": [_target(query, letter) for query, letter in zip(panel.queries, "ABCDEFGH", strict=False)],
    }


def _target(query: Query, letter: str) -> Json:
    return {
        "refId": letter,
        "datasource": SOURCE,
        "editorMode": "code",
        "expr": query.expr,
        "legendFormat": query.legend,
        "range": True,
    }


def _defaults(panel: Panel) -> Json:
    if panel.kind == "state-timeline":
        states = {"0": {"text": "closed", "color": "green"}, "1": {"text": "open", "color": "red"}}
        return {"mappings": [{"type": "value", "options": states}], "custom": {"fillOpacity": 70}}
    drawn = {
        "drawStyle": "line",
        "lineWidth": 1,
        "fillOpacity": 20 if panel.stacked else 0,
        "showPoints": "never",
        "stacking": {"mode": "normal" if panel.stacked else "none", "group": "A"},
    }
    return {"unit": panel.unit, "min": 0, "custom": drawn}


def _options(panel: Panel) -> Json:
    legend: Json = {"displayMode": "list", "placement": "bottom", "showLegend": True}
    if panel.kind == "state-timeline":
        return {"legend": legend, "showValue": "never", "mergeValues": True}
    return {"legend": legend, "tooltip": {"mode": "multi", "sort": "desc"}}
