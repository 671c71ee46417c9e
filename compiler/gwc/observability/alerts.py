"""Alert rules of a Gateway: what to wake somebody for, who that is, and which line of which policy is behind it.

Shares are over minutes, not seconds, and need a few requests: one failure at night is no incident.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gwc.diagnostics import Span
from gwc.ir import Gateway, Limit, Route, Service
from gwc.observability import access_log, metrics
from gwc.observability.promql import any_of, bucket, literal, rate, series
from gwc.observability.rules import Alert
from gwc.source import policy_name

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


def groups(gateway: Gateway) -> Iterator[tuple[str, tuple[Alert, ...]]]:
    """The rules of the platform, then those of each service, with the names of their groups."""
    yield "gwc-platform", tuple(_of_platform(gateway))
    for service in gateway.services:
        yield f"gwc-service-{service.name}", tuple(_of_service(service))


def _of_platform(gateway: Gateway) -> Iterator[Alert]:
    yield _silent(gateway)
    for limit in gateway.limits:
        yield _of_limit(limit, {}, {}, "all services")
    if gateway.concurrency is not None:
        yield _capped({}, {}, access_log.CONCURRENCY, "all services", gateway.provenance["concurrency"].span)


def _of_service(service: Service) -> Iterator[Alert]:
    labels = {"service": service.name, **({"owner": literal(service.owner)} if service.owner else {})}
    where = {"service": service.name}
    yield from _burning(service, labels)
    yield from _slow(service, labels)
    for limit in service.limits:
        yield _of_limit(limit, where, labels, service.name)
    for route in service.routes:
        for limit in route.limits:
            of_route = {**where, "route": route.name}
            yield _of_limit(limit, of_route, {**labels, "route": route.name}, f"{service.name}/{route.name}")
    if service.budget is not None:
        yield _spent(service, labels)
    if service.upstream.concurrency is not None:
        span = service.upstream.provenance["concurrency"].span
        yield _capped(where, labels, access_log.UPSTREAM_CONCURRENCY, service.name, span)
    if service.upstream.breaker is not None:
        yield from _broken(service, labels)
    yield _deserted(service, labels)


def _silent(gateway: Gateway) -> Alert:
    return _alert(
        "GwcNoMetrics",
        f"absent({metrics.REQUESTS.name})",
        "15m",
        {"severity": "page"},
        "No gateway tells of any request",
        "Prometheus has no series of any gateway: none is scraped, or none has served a request since it started.",
        "Look at the targets page of Prometheus for the gateways' admin listeners; then ask one for its metrics.",
        gateway.provenance["metrics_path"].span,
    )


def _burning(service: Service, labels: Mapping[str, str]) -> Iterator[Alert]:
    all_of = series(metrics.REQUESTS.name, service=service.name)
    failed = series(metrics.REQUESTS.name, service=service.name, status="5xx")
    for long, short, times, wait, severity in _BURNS:
        shares = [f"{rate(failed, window)} / {rate(all_of, window)}" for window in (long, short)]
        bound = f"{times * (1 - OBJECTIVE):.4f}"
        enough = f"sum (increase({failed}[{long}])) >= {_ERRORS_AT_LEAST}"
        yield _alert(
            "GwcErrorBudgetBurn",
            f"{shares[0]} > {bound} and {shares[1]} > {bound} and {enough}",
            wait,
            {**labels, "severity": severity, "window": long},
            f"{service.name}: {{{{ $value | humanizePercentage }}}} of the requests fail",
            f"Over {long} and {short}, more than {times:g} times the 5xx that an objective of {OBJECTIVE:.1%} leaves.",
            "In the access log, `problem` tells whose failure it is: bad-gateway and timeout the service's, "
            "circuit-open and overloaded the gateway's. Roll back what changed last.",
            service.provenance["name"].span,
        )


def _slow(service: Service, labels: Mapping[str, str]) -> Iterator[Alert]:
    """Streams and WebSockets last as long as they like."""
    by_timeout: dict[float, list[Route]] = {}
    for route in service.routes:
        if not route.stream and not route.websocket:
            by_timeout.setdefault(route.timeouts.request, []).append(route)
    for timeout, routes in by_timeout.items():
        where = {"service": service.name, "route": any_of(route.name for route in routes)}
        expr, words = _slower(timeout, where)
        count = series(f"{metrics.DURATION.name}_count", **where)
        yield _alert(
            "GwcSlow",
            f"{expr} and sum by (route) (increase({count}[10m])) >= {_REQUESTS_AT_LEAST}",
            "10m",
            {**labels, "severity": "ticket", "timeout": f"{timeout:g}s"},
            f"{service.name}/{{{{ $labels.route }}}}: {words}",
            f"timeouts.request is {timeout:g}s: slower requests are answered 504 by the gateway.",
            "Compare upstream_ms with duration_ms in the access log: a wait for the service, or for the client.",
            routes[0].timeouts.provenance["request"].span,
        )


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


def _of_limit(limit: Limit, where: Mapping[str, str], labels: Mapping[str, str], subject: str) -> Alert:
    return (_would_refuse if limit.shadow else _refusing)(limit, where, labels, subject)


def _refusing(limit: Limit, where: Mapping[str, str], labels: Mapping[str, str], subject: str) -> Alert:
    return _alert(
        "GwcLimitRefusing",
        f"{_share(metrics.REFUSALS, limit.id, where, '10m')} > {_REFUSED}",
        "10m",
        {**labels, "severity": "ticket", "limit": limit.id},
        f"{subject}: {{{{ $value | humanizePercentage }}}} of the requests get 429 from a limit per {limit.key}",
        f"The limit {limit.id} of {_rate_of(limit)} refuses more than {_REFUSED:.0%}.",
        f"Group the access log's lines with this limited_by by {_grouped(limit)}: one client that misbehaves, or "
        "a limit that has become too low.",
        limit.provenance["rate"].span,
    )


def _would_refuse(limit: Limit, where: Mapping[str, str], labels: Mapping[str, str], subject: str) -> Alert:
    return _alert(
        "GwcShadowLimitWouldRefuse",
        f"{_share(metrics.SHADOWED, limit.id, where, '30m')} > {_SHADOWED}",
        "30m",
        {**labels, "severity": "info", "limit": limit.id},
        f"{subject}: {{{{ $value | humanizePercentage }}}} of the requests would get 429 from a limit in shadow mode",
        f"Enforced, the limit {limit.id} of {_rate_of(limit)} would refuse more than {_SHADOWED:.0%}.",
        f"Group the access log's lines that have it in shadowed_by by {_grouped(limit)} before you enforce it.",
        limit.provenance["rate"].span,
    )


def _spent(service: Service, labels: Mapping[str, str]) -> Alert:
    assert service.budget is not None
    units = service.budget.units
    return _alert(
        "GwcBudgetRefusing",
        f"{_share(metrics.REFUSALS, access_log.BUDGET, {'service': service.name}, '15m')} > {_REFUSED}",
        "15m",
        {**labels, "severity": "ticket", "limit": access_log.BUDGET},
        f"{service.name}: {{{{ $value | humanizePercentage }}}} of the requests find their user's budget spent",
        f"{units.tokens} units for each user in {units.period}s are not enough for more than {_REFUSED:.0%}.",
        "Group the access log's lines by user and sum up cost: a client in a loop, or a route whose cost has grown.",
        service.budget.provenance["units"].span,
    )


def _capped(where: Mapping[str, str], labels: Mapping[str, str], cap: str, subject: str, span: Span) -> Alert:
    return _alert(
        "GwcOverloaded",
        f"{_share(metrics.REFUSALS, cap, where, '5m')} > {_CAPPED}",
        "5m",
        {**labels, "severity": "page", "limit": cap},
        f"{subject}: {{{{ $value | humanizePercentage }}}} of the requests get 503 because too many are in flight",
        f"The cap `{cap}` refuses more than {_CAPPED:.0%}: requests come faster than they are answered.",
        "Look at the latency first: a slow service fills any cap. Raise it only if the service has room.",
        span,
    )


def _broken(service: Service, labels: Mapping[str, str]) -> Iterator[Alert]:
    assert service.upstream.breaker is not None
    span = service.upstream.breaker.provenance["failures"].span
    opened = f"avg_over_time({series(metrics.BREAKER_OPEN.name, service=service.name)}[5m])"
    yield _alert(
        "GwcBreakerOpen",
        f"max by (endpoint) ({opened}) > 0.5",
        "2m",
        {**labels, "severity": "ticket"},
        f"{service.name}: {{{{ $labels.endpoint }}}} gets no traffic",
        f"Its breaker opens after {service.upstream.breaker.failures} failures in a row, and has mostly been open.",
        "The endpoint fails again each time it is tried: ask it directly, from a gateway's host.",
        span,
    )
    refused = series(metrics.REFUSALS.name, service=service.name, limit=access_log.BREAKER)
    yield _alert(
        "GwcCircuitOpen",
        f"{rate(refused, '5m')} > 0",
        "2m",
        {**labels, "severity": "page"},
        f"{service.name}: clients get 503, for no endpoint is left",
        "The breakers of all endpoints are open at the same time.",
        "Endpoints that fail together usually share a cause: a deployment, a database, a certificate, a name.",
        span,
    )


def _deserted(service: Service, labels: Mapping[str, str]) -> Alert:
    requests = series(metrics.REQUESTS.name, service=service.name)
    return _alert(
        "GwcNoTraffic",
        f"({rate(requests, '15m')} or vector(0)) == 0 and sum (rate({requests}[1h] offset 1d)) > 0.1 "
        f"and {rate(metrics.REQUESTS.name, '15m')} > 0",
        "15m",
        {**labels, "severity": "ticket"},
        f"{service.name}: no request in a quarter of an hour",
        "There were some at this time yesterday, and other services have theirs.",
        "Ask for one of its routes through the gateway: 404 means a host or path that has changed.",
        service.provenance["name"].span,
    )


def _share(family: metrics.Family, limit: str, where: Mapping[str, str], window: str) -> str:
    part = series(family.name, **where, limit=limit)
    return f"{rate(part, window)} / {rate(series(metrics.REQUESTS.name, **where), window)}"


def _rate_of(limit: Limit) -> str:
    return f"{limit.rate.tokens} in {limit.rate.period}s, burst {limit.burst}"


def _grouped(limit: Limit) -> str:
    by = {"ip": "client_ip", "user": "user", "service": "client_ip"}
    return by.get(limit.key, f"keys.{limit.header}")


def _alert(
    name: str,
    expr: str,
    wait: str,
    labels: Mapping[str, str],
    summary: str,
    description: str,
    hint: str,
    span: Span,
) -> Alert:
    place = literal(f"{policy_name(span.file)}:{span.line}")
    annotations = {"summary": summary, "description": f"{description} Written in {place}.", "hint": hint}
    return Alert(name, expr, wait, labels, annotations, span)
