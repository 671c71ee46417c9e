"""One Grafana dashboard a service: what the policy guards, and nothing that it does not use."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from hashlib import sha256

from gwc.ir import Gateway, Service
from gwc.observability import metrics
from gwc.observability.panels import Json, Panel, Query, printed
from gwc.observability.promql import series, string
from gwc.parts import Assembled, Made, Part, Piece

_SCHEMA_VERSION = 38
"""Grafana 10.0's; later ones read it and bring it up to date."""

_WINDOW = "$__rate_interval"
_QUANTILES = ((0.5, "p50"), (0.9, "p90"), (0.99, "p99"))


@dataclass(frozen=True, slots=True)
class Above:
    """Whether the platform refuses requests of any service, or would."""

    refusals: bool
    shadows: bool

    @classmethod
    def of(cls, gateway: Gateway) -> Above:
        refusals = gateway.concurrency is not None or not all(limit.shadow for limit in gateway.limits)
        return cls(refusals, any(limit.shadow for limit in gateway.limits))


@dataclass(frozen=True, slots=True)
class Guards:
    """What a service's policy uses that has a panel of its own."""

    refusals: bool
    shadows: bool
    cache: bool
    breaker: bool
    budget: bool

    @classmethod
    def of(cls, above: Above, service: Service) -> Guards:
        limits = [*service.limits, *(limit for route in service.routes for limit in route.limits)]
        caps = (service.budget, service.upstream.concurrency, service.upstream.breaker)
        return cls(
            refusals=above.refusals
            or not all(limit.shadow for limit in limits)
            or any(cap is not None for cap in caps),
            shadows=above.shadows or any(limit.shadow for limit in limits),
            cache=any(route.cache for route in service.routes),
            breaker=service.upstream.breaker is not None,
            budget=service.budget is not None,
        )


def panels(service: str, guards: Guards) -> Iterator[Panel]:
    yield from _traffic(service)
    if guards.refusals:
        yield _by_label(metrics.REFUSALS, "limit", service, "Refusals by limit", "Requests that got 429 or 503.")
    if guards.shadows:
        about = "Requests that would have got 429 if the limit were enforced."
        yield _by_label(metrics.SHADOWED, "limit", service, "Shadow limits", about)
    if guards.cache:
        yield _by_label(metrics.CACHE, "result", service, "Cache", "Requests on cached routes, by X-Cache.")
    if guards.breaker:
        yield _breaker(service)
    yield _attempts(service)
    if guards.budget:
        yield _by_label(metrics.BUDGET_UNITS, "route", service, "Budget", "Units taken from users' budgets, a second.")


def _traffic(service: str) -> Iterator[Panel]:
    requests = _of(metrics.REQUESTS.name, service)
    failed = _of(metrics.REQUESTS.name, service, status="5xx")
    yield _by_label(metrics.REQUESTS, "status", service, "Requests", "A second, by class of the status.")
    yield Panel(
        "Failures",
        "The share of requests that end with a 5xx, whoever made it.",
        "percentunit",
        [Query(f"sum (rate({failed}[{_WINDOW}])) / sum (rate({requests}[{_WINDOW}]))", "5xx")],
    )
    yield Panel("Latency", "Of all routes, streams too, up to 10s.", "s", [_quantile(service, *q) for q in _QUANTILES])
    yield Panel("Latency by route", "The 99th percentile.", "s", [_quantile(service, 0.99, "{{route}}", "route, ")])


def _quantile(service: str, share: float, legend: str, by: str = "") -> Query:
    buckets = _of(f"{metrics.DURATION.name}_bucket", service)
    return Query(f"histogram_quantile({share}, sum by ({by}le) (rate({buckets}[{_WINDOW}])))", legend)


def _by_label(family: metrics.Family, label: str, service: str, title: str, about: str) -> Panel:
    query = Query(f"sum by ({label}) (rate({_of(family.name, service)}[{_WINDOW}]))", f"{{{{{label}}}}}")
    return Panel(title, about, "short" if family is metrics.BUDGET_UNITS else "reqps", [query], stacked=True)


def _breaker(service: str) -> Panel:
    open_ = series(metrics.BREAKER_OPEN.name, service=service)
    query = Query(f"max by (endpoint) ({open_})", "{{endpoint}}")
    return Panel("Breaker", "Open: the endpoint gets no traffic.", "short", [query], kind="state-timeline")


def _attempts(service: str) -> Panel:
    tries = f"sum by (route) (rate({_of(metrics.ATTEMPTS.name, service)}[{_WINDOW}]))"
    requests = f"sum by (route) (rate({_of(metrics.REQUESTS.name, service)}[{_WINDOW}]))"
    about = "Above 1: retries. Below: the gateway answered by itself."
    return Panel("Tries for each request", about, "short", [Query(f"{tries} / {requests}", "{{route}}")])


def _of(metric: str, service: str, **labels: str) -> str:
    """The series of the routes that the reader picks at the top of the dashboard."""
    return series(metric, service=service, route="~$route", **labels)


def dashboard(above: Above, service: Service, served: frozenset[metrics.Family]) -> Assembled:
    """The dashboard of `service`, of what a gateway with the families `served` can show."""
    return Assembled(partial(_pieces, above, service, served), {})


def _pieces(above: Above, service: Service, served: frozenset[metrics.Family]) -> tuple[Piece]:
    given = ",".join(sorted(family.name for family in served))
    return (Part(service.name, "dashboard", partial(_made, above, service, served), given),)


def _made(above: Above, service: Service, served: frozenset[metrics.Family]) -> Made:
    uid = "gwc-" + sha256(service.name.encode()).hexdigest()[:32]
    tags = ",\n  ".join(map(string, ("gwc", service.owner) if service.owner else ("gwc",)))
    return Made(
        f'{{\n "uid": {string(uid)},\n "title": {string(f"gwc: {service.name}")},\n'
        f' "description": {string(service.description)},\n "tags": [\n  {tags}\n ],'
        f"{service.name.join(_common(Guards.of(above, service), served))[1:]}\n"
    )


_NAME = "name-of-the-service"
"""Stands for a service in what is the same for all with its guards: a DNS label, as their names are, so that the same
quotes are right for both."""


@lru_cache(maxsize=64)
def _common(guards: Guards, served: frozenset[metrics.Family]) -> tuple[str, ...]:
    """Cut where the name of the service belongs."""
    shown = [panel for panel in panels(_NAME, guards) if _needs(panel) <= served]
    text = _json(
        {
            "schemaVersion": _SCHEMA_VERSION,
            "version": 1,
            "editable": False,
            "graphTooltip": 1,
            "refresh": "30s",
            "time": {"from": "now-6h", "to": "now"},
            "timezone": "",
            "annotations": {"list": []},
            "templating": {"list": [_datasource(), _routes(_NAME)]},
            "panels": [printed(panel, number) for number, panel in enumerate(shown)],
        }
    )
    return tuple(text.split(_NAME))


def _json(content: Json) -> str:
    return json.dumps(content, indent=1, ensure_ascii=False)


def _needs(panel: Panel) -> frozenset[metrics.Family]:
    return frozenset().union(*(metrics.named_in(query.expr) for query in panel.queries))


def _datasource() -> Json:
    return {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "hide": 0}


def _routes(service: str) -> Json:
    query = f"label_values({series(metrics.REQUESTS.name, service=service)}, route)"
    return {
        "name": "route",
        "label": "Route",
        "type": "query",
        "datasource": {"type": "prometheus", "uid": "${datasource}"},
        "definition": query,
        "query": {"query": query, "refId": "routes"},
        "refresh": 2,
        "includeAll": True,
        "allValue": ".*",
        "multi": True,
        "sort": 1,
        "hide": 0,
    }
