"""What a build holds for Prometheus and Grafana: the same for all gateways, less what one of them does not measure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial

from gwc.diagnostics import Span
from gwc.ir import Gateway, Service
from gwc.observability import alerts, cases, dashboards
from gwc.observability.cases import Case
from gwc.observability.metrics import FAMILIES, Family
from gwc.observability.rules import heading, opening
from gwc.parts import Assembled, Made, Part, Piece
from gwc.target import Lines

ALERTS = "prometheus/alerts.yaml"


def files(gateway: Gateway, served: frozenset[Family]) -> Mapping[str, Assembled]:
    """Alert rules and dashboards by path below `build/<target>/`, for a gateway with the families `served`."""
    if not served:
        return {}
    above = dashboards.Above.of(gateway)
    boards = {f"grafana/{one.name}.json": dashboards.dashboard(above, one, served) for one in gateway.services}
    rules = Assembled(partial(_pieces, gateway, served), Lines(partial(_spans, gateway, served)))
    return {ALERTS: rules, **boards}


def _pieces(gateway: Gateway, served: frozenset[Family]) -> Iterator[Piece]:
    given = ",".join(sorted(family.name for family in served))
    yield Made(_opening(gateway, served) + _group(*_platform(gateway), served))
    for service in gateway.services:
        yield Part(service.name, "alerts", partial(_of, service, served), given)


def _of(service: Service, served: frozenset[Family]) -> Made:
    return Made(_group(*_service(service), served))


def _platform(gateway: Gateway) -> tuple[str, Iterator[Case]]:
    return "gwc-platform", alerts.of_platform(gateway)


def _service(service: Service) -> tuple[str, Iterator[Case]]:
    return f"gwc-service-{service.name}", alerts.of_service(service)


def _groups(gateway: Gateway) -> Iterator[tuple[str, Iterator[Case]]]:
    yield _platform(gateway)
    yield from map(_service, gateway.services)


def _group(name: str, about: Iterable[Case], served: frozenset[Family]) -> str:
    """Nothing where no rule is left."""
    rules = "".join([cases.text(case, served) for case in about])
    return heading(name) + rules if rules else ""


def _opening(gateway: Gateway, served: frozenset[Family]) -> str:
    if served.issuperset(FAMILIES):
        return opening(any_group=True)  # one of the platform's rules is always there
    known = [cases.names(case, served) for _, about in _groups(gateway) for case in about]
    lost = sorted(frozenset[str]().union(*(lost for _, lost in known)))
    comments = [f"# Without {name}: this gateway does not serve all that it looks at.\n" for name in lost]
    return "".join(comments) + opening(any(possible for possible, _ in known))


def _spans(gateway: Gateway, served: frozenset[Family]) -> dict[int, Span]:
    """By line of the rule file: where the policies have what a rule watches."""
    spans: dict[int, Span] = {}
    line = _opening(gateway, served).count("\n")
    for name, about in _groups(gateway):
        rules = [(case.span, text) for case in about if (text := cases.text(case, served))]
        line += heading(name).count("\n") if rules else 0
        for span, text in rules:
            spans.update(dict.fromkeys(range(line + 1, line + text.count("\n") + 1), span))
            line += text.count("\n")
    return spans
