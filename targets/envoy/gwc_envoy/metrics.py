"""The metric families of all gateways, counted when a request is over; recording rules give them their names.

Envoy puts its own name before that of every metric. Tags come from routes and from what scripts have noted, so no
client can make a series.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import chain

from gwc.ir import Endpoint, Gateway, Service
from gwc.observability import metrics, promql
from gwc.observability.metrics import Family
from gwc.observability.rules import Group, Recording, document, printed
from gwc.parts import Made, Part, Piece
from gwc.target import Assembled
from gwc_envoy import access_log, cache, errors, picks
from gwc_envoy.limits import shadows
from gwc_envoy.upstream import is_ip
from gwc_envoy.xds import Json, extension

RECORDING = "prometheus/recording.yaml"
FLUSH = "1s"
"""How often histograms take up what was measured: more often than anybody scrapes."""

_PREFIX = "gwc"
_ROUTE = {"service": "%METADATA(ROUTE:gwc:service)%", "route": "%METADATA(ROUTE:gwc:route)%"}
_CLASSES = {
    "1xx": picks.within(100, 199),
    "2xx": picks.within(200, 299),
    "3xx": picks.within(300, 399),
    "4xx": picks.some(picks.within(400, 499), picks.status(99, "LE")),  # whoever left is a client
    "5xx": picks.status(500, "GE"),
}
_RESULTS = ("HIT", "MISS", "STALE", "BYPASS")
_MEASURED = "request_duration"
"""Milliseconds by class of the status: the number of requests and how long they took in one."""


def stats_config() -> Json:
    """Bounds of the histogram's buckets, in its own unit."""
    bounds = [bound * 1000 for bound in metrics.DURATION_BOUNDS]
    return {"histogram_bucket_settings": [{"match": {"prefix": f"{_PREFIX}.{_MEASURED}"}, "buckets": bounds}]}


def loggers(gateway: Gateway) -> Iterator[Json]:
    """Each counts what it is about and no more: a counter costs as much as a line of the access log."""
    return chain(_requests(), _attempts(), _budgets(gateway), _limits(gateway), _cache(gateway))


def _requests() -> Iterator[Json]:
    for name, which in _CLASSES.items():
        tags = _tags({**_ROUTE, "status": name})
        measured = {"stat": {"name": _MEASURED, "tags": tags}, "unit": "Milliseconds", "value_format": "%DURATION%"}
        yield _logger({"histograms": [measured]}, which)


def _attempts() -> Iterator[Json]:
    """As a hop has counted them, or Envoy itself."""
    asked, note = picks.noted(access_log.ATTEMPT, "asked"), (access_log.FILTER, "attempts")
    by_hop = _counter(metrics.ATTEMPTS, value_format=f"%DYNAMIC_METADATA({':'.join(note)})%")
    yield _logger({"counters": [by_hop]}, picks.every(asked, picks.noted(*note)))
    own = _counter(metrics.ATTEMPTS, value_format=errors.ATTEMPTS)
    yield _logger({"counters": [own]}, picks.every(asked, picks.unnoted(*note)))


def _budgets(gateway: Gateway) -> Iterator[Json]:
    if any(service.budget is not None for service in gateway.services):
        taken = {"double_match": {"range": {"start": 1, "end": 2**53}}}
        counter = _counter(metrics.BUDGET_UNITS, value_format=f"%DYNAMIC_METADATA({access_log.FILTER}:cost)%")
        yield _logger({"counters": [counter]}, picks.noted(access_log.FILTER, "cost", taken))


def _limits(gateway: Gateway) -> Iterator[Json]:
    """A request meets one limit that refuses it, and any number of those that only watch."""
    limited = f"%DYNAMIC_METADATA({access_log.FILTER}:limited_by)%"
    yield _logger(
        {"counters": [_counter(metrics.REFUSALS, {"limit": limited})]}, picks.noted(access_log.FILTER, "limited_by")
    )
    for number in range(1, shadows(gateway) + 1):
        note = f"shadowed_{number}"
        met = _counter(metrics.SHADOWED, {"limit": f"%DYNAMIC_METADATA({access_log.FILTER}:{note})%"})
        yield _logger({"counters": [met]}, picks.noted(access_log.FILTER, note))


def _cache(gateway: Gateway) -> Iterator[Json]:
    for result in _RESULTS if cache.used(gateway) else ():
        told = picks.noted(cache.FILTER, "result", {"string_match": {"exact": result}})
        counter = _counter(metrics.CACHE, {"result": result.lower()})
        yield _logger({"counters": [counter]}, picks.every(told, picks.status(100, "GE")))


def _logger(stats: Json, which: Json | None = None) -> Json:
    logger = extension(
        "envoy.access_loggers.stats", "extensions.access_loggers.stats.v3.Config", stat_prefix=_PREFIX, **stats
    )
    return logger if which is None else {**logger, "filter": which}


def _counter(family: Family, tags: Json | None = None, value_format: str | None = None) -> Json:
    value: Json = {"value_fixed": 1} if value_format is None else {"value_format": value_format}
    return {"stat": _stat(family, tags or {}), **value}


def _stat(family: Family, tags: Json) -> Json:
    values = {**_ROUTE, **tags}
    return {
        "name": family.name.removeprefix(f"{_PREFIX}_"),
        "tags": _tags({name: values[name] for name in family.labels}),
    }


def _tags(values: Json) -> list[Json]:
    return [{"name": name, "value_format": value} for name, value in values.items()]


def recording(gateway: Gateway) -> Assembled:
    return Assembled(lambda: _pieces(gateway), {})


def _pieces(gateway: Gateway) -> Iterator[Piece]:
    always = document([Group("gwc.envoy", [*_renamed(), *_buckets()])])
    yield Made(always.text)
    for service in gateway.services:
        if service.upstream.breaker is not None:
            yield Part(service.name, "breaker", partial(_breakers, service))


def _breakers(service: Service) -> Made:
    return Made("".join([printed(_breaker(service, endpoint)) for endpoint in service.upstream.endpoints]))


def _renamed() -> Iterator[Recording]:
    for family in metrics.FAMILIES:
        if family.type == "counter" and family is not metrics.REQUESTS:
            yield Recording(family.name, f"envoy_{family.name}")
    measured, seconds = f"envoy_{_PREFIX}_{_MEASURED}", metrics.DURATION.name
    yield Recording(metrics.REQUESTS.name, f"{measured}_count")
    yield Recording(f"{seconds}_count", f"sum without (status) ({measured}_count)")
    yield Recording(f"{seconds}_sum", f"sum without (status) ({measured}_sum) / 1000")


def _buckets() -> Iterator[Recording]:
    """Prometheus 3 writes a bound of 5 as 5.0, older ones as it is served."""
    name, measured = f"{metrics.DURATION.name}_bucket", f"envoy_{_PREFIX}_{_MEASURED}_bucket"
    bounds = {metrics.bound_text(b): promql.bucket(f"{b * 1000:g}") for b in metrics.DURATION_BOUNDS}
    for label, served in {**bounds, "+Inf": "+Inf"}.items():
        yield Recording(name, f"sum without (status, le) ({promql.series(measured, le=served)})", {"le": label})


def _breaker(service: Service, endpoint: Endpoint) -> Recording:
    """Open where a group of the service's routes has ejected the endpoint, with every address of its name."""
    address = endpoint.address
    named = {} if is_ip(address.host) else {"envoy_endpoint_hostname": address.host}
    where = str(address) if is_ip(address.host) else f"~.*:{address.port}"
    own = f"~{service.name}(/.*)?"  # a DNS label
    healthy = promql.series(
        "envoy_cluster_endpoint_healthy", envoy_cluster_name=own, envoy_endpoint_address=where, **named
    )
    any_address = f"max without (envoy_endpoint_address, envoy_endpoint_hostname) ({healthy})"
    labels = {"service": service.name, "endpoint": str(address)}
    expr = f"1 - min without (envoy_cluster_name) ({any_address})"
    return Recording(metrics.BREAKER_OPEN.name, expr, labels)
