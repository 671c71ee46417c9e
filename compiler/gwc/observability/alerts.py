"""Alert rules of a Gateway: what to wake somebody for, who that is, and which line of which policy is behind it.

Shares are over minutes, not seconds, and need a few requests: one failure at night is no incident.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gwc.ir import Gateway, Limit, Route, Service
from gwc.observability import access_log, metrics
from gwc.observability.cases import Case
from gwc.observability.promql import any_of, bucket, literal, rate, series
from gwc.observability.rules import Alert

OBJECTIVE = 0.999
"""The share of requests that are to end without a 5xx. The burn rates of the alerts are of what it leaves."""

_BURNS = (("1h", "5m", 14.4, "2m", "page"), ("6h", "30m", 6.0, "15m", "page"), ("3d", "6h", 1.0, "1h", "ticket"))
"""Long window, short window, times the even rate, wait, severity. At 14.4 a month's allowance is gone in two days."""

_ERRORS_AT_LEAST = 10
_REQUESTS_AT_LEAST = 20
_REFUSED = 0.05
_CAPPED = 0.01
_SHADOWED = 0.01
_SLOW = 0.01


def of_platform(gateway: Gateway) -> Iterator[Case]:
    yield Case(_silent, (), (), gateway, "metrics_path")
    for limit in gateway.limits:
        yield _of_limit(limit, "", "", "")
    if gateway.concurrency is not None:
        yield Case(_capped, (access_log.CONCURRENCY,), ("", ""), gateway, "concurrency")


def of_service(service: Service) -> Iterator[Case]:
    who = (service.name, service.owner)
    yield Case(_burning, (), who, service, "name")
    yield from _too_slow(service)
    for limit in service.limits:
        yield _of_limit(limit, *who, "")
    for route in service.routes:
        for limit in route.limits:
            yield _of_limit(limit, *who, route.name)
    if service.budget is not None:
        units = service.budget.units
        yield Case(_spent, (), (*who, str(units.tokens), str(units.period)), service.budget, "units")
    yield from _of_upstream(service)
    yield Case(_deserted, (), who, service, "name")


def _of_upstream(service: Service) -> Iterator[Case]:
    who, upstream = (service.name, service.owner), service.upstream
    if upstream.concurrency is not None:
        yield Case(_capped, (access_log.UPSTREAM_CONCURRENCY,), who, upstream, "concurrency")
    if upstream.breaker is not None:
        yield Case(_broken, (), (*who, str(upstream.breaker.failures)), upstream.breaker, "failures")


def _too_slow(service: Service) -> Iterator[Case]:
    """Streams and WebSockets last as long as they like."""
    by_timeout: dict[float, list[Route]] = {}
    for route in service.routes:
        if not route.stream and not route.websocket:
            by_timeout.setdefault(route.timeouts.request, []).append(route)
    for timeout, routes in by_timeout.items():
        words = (service.name, service.owner, any_of(route.name for route in routes).removeprefix("~"))
        yield Case(_slow, (timeout,), words, routes[0].timeouts, "request")


def _of_limit(limit: Limit, service: str, owner: str, route: str) -> Case:
    words = (limit.id, str(limit.rate.tokens), str(limit.rate.period), str(limit.burst), limit.key, _grouped(limit))
    return Case(_would_refuse if limit.shadow else _refusing, (), (service, owner, route, *words), limit, "rate")


def _silent(place: str) -> tuple[Alert, ...]:
    alert = _alert(
        "GwcNoMetrics",
        f"absent({metrics.REQUESTS.name})",
        "15m",
        {"severity": "page"},
        "No gateway tells of any request",
        "Prometheus has no series of any gateway: none is scraped, or none has served a request since it started.",
        "Look at the targets page of Prometheus for the gateways' admin listeners; then ask one for its metrics.",
        place,
    )
    return (alert,)


def _burning(service: str, owner: str, place: str) -> tuple[Alert, ...]:
    all_of = series(metrics.REQUESTS.name, service=service)
    failed = series(metrics.REQUESTS.name, service=service, status="5xx")
    return tuple(_burn(service, owner, place, all_of, failed, *burn) for burn in _BURNS)


def _burn(
    service: str,
    owner: str,
    place: str,
    all_of: str,
    failed: str,
    long: str,
    short: str,
    times: float,
    wait: str,
    severity: str,
) -> Alert:
    shares = [f"{rate(failed, window)} / {rate(all_of, window)}" for window in (long, short)]
    bound = f"{times * (1 - OBJECTIVE):.4f}"
    enough = f"sum (increase({failed}[{long}])) >= {_ERRORS_AT_LEAST}"
    return _alert(
        "GwcErrorBudgetBurn",
        f"{shares[0]} > {bound} and {shares[1]} > {bound} and {enough}",
        wait,
        {**_labels(service, owner), "severity": severity, "window": long},
        f"{service}: {{{{ $value | humanizePercentage }}}} of the requests fail",
        f"Over {long} and {short}, more than {times:g} times the 5xx that an objective of {OBJECTIVE:.1%} leaves.",
        "In the access log, `problem` tells whose failure it is: bad-gateway and timeout the service's, "
        "circuit-open and overloaded the gateway's. Roll back what changed last.",
        place,
    )


def _slow(timeout: float, service: str, owner: str, routes: str, place: str) -> tuple[Alert, ...]:
    where = {"service": service, "route": f"~{routes}"}
    expr, words = _slower(timeout, where)
    count = series(f"{metrics.DURATION.name}_count", **where)
    alert = _alert(
        "GwcSlow",
        f"{expr} and sum by (route) (increase({count}[10m])) >= {_REQUESTS_AT_LEAST}",
        "10m",
        {**_labels(service, owner), "severity": "ticket", "timeout": f"{timeout:g}s"},
        f"{service}/{{{{ $labels.route }}}}: {words}",
        f"timeouts.request is {timeout:g}s: slower requests are answered 504 by the gateway.",
        "Compare upstream_ms with duration_ms in the access log: a wait for the service, or for the client.",
        place,
    )
    return (alert,)


def _slower(timeout: float, where: Mapping[str, str]) -> tuple[str, str]:
    """Too slow for a timeout, and what to call it: by the histogram where it has a bound between half of the timeout
    and all of it, otherwise by the mean."""
    total = rate(series(f"{metrics.DURATION.name}_count", **where), "10m", "route")
    bounds = [bound for bound in metrics.DURATION_BOUNDS if timeout / 2 <= bound < timeout]
    if not bounds:
        mean = f"{rate(series(f'{metrics.DURATION.name}_sum', **where), '10m', 'route')} / {total}"
        return f"{mean} > {timeout / 2:g}", "the mean request takes {{ $value | humanizeDuration }}"
    bound = metrics.bound_text(bounds[0])
    quick = rate(series(f"{metrics.DURATION.name}_bucket", **where, le=bucket(bound)), "10m", "route")
    return f"1 - {quick} / {total} > {_SLOW}", f"{{{{ $value | humanizePercentage }}}} take longer than {bound}s"


def _refusing(
    service: str,
    owner: str,
    route: str,
    limit: str,
    tokens: str,
    period: str,
    burst: str,
    key: str,
    by: str,
    place: str,
) -> tuple[Alert, ...]:
    alert = _alert(
        "GwcLimitRefusing",
        f"{_share(metrics.REFUSALS, limit, _where(service, route), '10m')} > {_REFUSED}",
        "10m",
        {**_labels(service, owner, route), "severity": "ticket", "limit": limit},
        f"{_subject(service, route)}: "
        f"{{{{ $value | humanizePercentage }}}} of the requests get 429 from a limit per {key}",
        f"The limit {limit} of {tokens} in {period}s, burst {burst} refuses more than {_REFUSED:.0%}.",
        f"Group the access log's lines with this limited_by by {by}: one client that misbehaves, or "
        "a limit that has become too low.",
        place,
    )
    return (alert,)


def _would_refuse(
    service: str,
    owner: str,
    route: str,
    limit: str,
    tokens: str,
    period: str,
    burst: str,
    _key: str,
    by: str,
    place: str,
) -> tuple[Alert, ...]:
    alert = _alert(
        "GwcShadowLimitWouldRefuse",
        f"{_share(metrics.SHADOWED, limit, _where(service, route), '30m')} > {_SHADOWED}",
        "30m",
        {**_labels(service, owner, route), "severity": "info", "limit": limit},
        f"{_subject(service, route)}: "
        "{{ $value | humanizePercentage }} of the requests would get 429 from a limit in shadow mode",
        f"Enforced, the limit {limit} of {tokens} in {period}s, burst {burst} would refuse more than {_SHADOWED:.0%}.",
        f"Group the access log's lines that have it in shadowed_by by {by} before you enforce it.",
        place,
    )
    return (alert,)


def _spent(service: str, owner: str, tokens: str, period: str, place: str) -> tuple[Alert, ...]:
    alert = _alert(
        "GwcBudgetRefusing",
        f"{_share(metrics.REFUSALS, access_log.BUDGET, _where(service), '15m')} > {_REFUSED}",
        "15m",
        {**_labels(service, owner), "severity": "ticket", "limit": access_log.BUDGET},
        f"{service}: {{{{ $value | humanizePercentage }}}} of the requests find their user's budget spent",
        f"{tokens} units for each user in {period}s are not enough for more than {_REFUSED:.0%}.",
        "Group the access log's lines by user and sum up cost: a client in a loop, or a route whose cost has grown.",
        place,
    )
    return (alert,)


def _capped(cap: str, service: str, owner: str, place: str) -> tuple[Alert, ...]:
    alert = _alert(
        "GwcOverloaded",
        f"{_share(metrics.REFUSALS, cap, _where(service), '5m')} > {_CAPPED}",
        "5m",
        {**_labels(service, owner), "severity": "page", "limit": cap},
        f"{_subject(service)}: "
        "{{ $value | humanizePercentage }} of the requests get 503 because too many are in flight",
        f"The cap `{cap}` refuses more than {_CAPPED:.0%}: requests come faster than they are answered.",
        "Look at the latency first: a slow service fills any cap. Raise it only if the service has room.",
        place,
    )
    return (alert,)


def _broken(service: str, owner: str, failures: str, place: str) -> tuple[Alert, ...]:
    opened = f"avg_over_time({series(metrics.BREAKER_OPEN.name, service=service)}[5m])"
    one = _alert(
        "GwcBreakerOpen",
        f"max by (endpoint) ({opened}) > 0.5",
        "2m",
        {**_labels(service, owner), "severity": "ticket"},
        f"{service}: {{{{ $labels.endpoint }}}} gets no traffic",
        f"Its breaker opens after {failures} failures in a row, and has mostly been open.",
        "The endpoint fails again each time it is tried: ask it directly, from a gateway's host.",
        place,
    )
    refused = series(metrics.REFUSALS.name, service=service, limit=access_log.BREAKER)
    every = _alert(
        "GwcCircuitOpen",
        f"{rate(refused, '5m')} > 0",
        "2m",
        {**_labels(service, owner), "severity": "page"},
        f"{service}: clients get 503, for no endpoint is left",
        "The breakers of all endpoints are open at the same time.",
        "Endpoints that fail together usually share a cause: a deployment, a database, a certificate, a name.",
        place,
    )
    return one, every


def _deserted(service: str, owner: str, place: str) -> tuple[Alert, ...]:
    requests = series(metrics.REQUESTS.name, service=service)
    alert = _alert(
        "GwcNoTraffic",
        f"({rate(requests, '15m')} or vector(0)) == 0 and sum (rate({requests}[1h] offset 1d)) > 0.1 "
        f"and {rate(metrics.REQUESTS.name, '15m')} > 0",
        "15m",
        {**_labels(service, owner), "severity": "ticket"},
        f"{service}: no request in a quarter of an hour",
        "There were some at this time yesterday, and other services have theirs.",
        "Ask for one of its routes through the gateway: 404 means a host or path that has changed.",
        place,
    )
    return (alert,)


def _where(service: str, route: str = "") -> dict[str, str]:
    return {name: value for name, value in (("service", service), ("route", route)) if value}


def _labels(service: str, owner: str, route: str = "") -> dict[str, str]:
    labels = (("service", service), ("owner", literal(owner)), ("route", route))
    return {name: value for name, value in labels if value}


def _subject(service: str, route: str = "") -> str:
    return "/".join(_where(service, route).values()) or "all services"


def _share(family: metrics.Family, limit: str, where: Mapping[str, str], window: str) -> str:
    part = series(family.name, **where, limit=limit)
    return f"{rate(part, window)} / {rate(series(metrics.REQUESTS.name, **where), window)}"


_FIELDS = {"ip": "client_ip", "user": "user", "service": "client_ip"}
"""Of the access log, by what a limit counts."""


def _grouped(limit: Limit) -> str:
    return _FIELDS.get(limit.key) or f"keys.{limit.header}"


def _alert(
    name: str,
    expr: str,
    wait: str,
    labels: Mapping[str, str],
    summary: str,
    description: str,
    hint: str,
    place: str,
) -> Alert:
    written = f"{description} Written in {literal(place)}."
    return Alert(name, expr, wait, labels, {"summary": summary, "description": written, "hint": hint})
