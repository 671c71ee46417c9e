"""One JSON line a request on standard output, in the schema that all gateways share.

A script notes what a request was when it came, before anything changes it, and a second one what lay between the
gateway and the service; the rest Envoy knows when the request is over.
"""

from __future__ import annotations

from collections.abc import Iterator

from gwc.derived import per_gateway
from gwc.features import limits
from gwc.ir import Gateway, Route, Service
from gwc.observability.access_log import (
    BREAKER,
    BUDGET,
    CONCURRENCY,
    REDACTED,
    REDACTED_QUERY_PARAMETERS,
    UPSTREAM_CONCURRENCY,
    credential_headers,
    key_headers,
)
from gwc_envoy import body, budget, cache, cluster_budget, errors, picks, request_id
from gwc_envoy.errors import BY_STATUS
from gwc_envoy.request_id import INSTANCE, REQUEST_ID
from gwc_envoy.shared import Shared, shared
from gwc_envoy.xds import Json, extension, lua, lua_list, lua_set, script

_keys = per_gateway(key_headers)

FILTER, ATTEMPT = "gwc.access_log", "gwc.attempt"


def request_filter(gateway: Gateway) -> Json:
    """Before anything changes the request: a script for its ids and for the notes, because each script costs."""
    settings = [
        f"local SECRET_PARAMETERS = {lua_set(REDACTED_QUERY_PARAMETERS)}",
        f"local SECRET_HEADERS = {lua_set(credential_headers(gateway))}",
        f"local KEYS = {lua_list(_keys(gateway))}",
    ]
    parts = {"--@SETTINGS@": "\n".join(settings), "--@CORRELATION@": request_id.correlation(gateway)}
    built = lua(FILTER, "access_log.lua", {**parts, "@REDACTED@": REDACTED})
    if _shadows(gateway):
        built["typed_config"]["default_source_code"]["inline_string"] += script("shadows.lua")
    return built


def attempt_filter(gateway: Gateway) -> Json:
    """Innermost: what it sees is on its way to the service, and comes from there."""
    settings = {"SHADOWS": _shadows(gateway), "SPENDING": _spending(gateway)}
    lines = [f"local {name} = {str(value).lower()}" for name, value in settings.items()]
    return lua(ATTEMPT, "attempt.lua", {"--@SETTINGS@": "\n".join(lines)})


@per_gateway
def _shadows(gateway: Gateway) -> bool:
    return any(limit.shadow for _, limit in limits(gateway))


def metadata(gateway: Gateway, service: Service, route: Route, upgraded: bool) -> Json:
    """That the route leads to a service, the bound of its bodies, and what it takes from its budget."""
    spends = budget.applies(service, route) or cluster_budget.spent(gateway, service, route)
    bytes_ = None if upgraded else body.exactly(route)
    return {ATTEMPT: _forwarding(bytes_, route.cost if spends else None)}


@shared
def _forwarding(bytes_: int | None, cost: int | None) -> Json:
    bound = {} if bytes_ is None else {"bytes": bytes_}
    return {"forwards": True, **bound, **({} if cost is None else {"cost": cost})}


NO_ROUTE: Json = {"gwc": Shared({"service": "", "route": "", "span": ""})}
"""The metadata of an answer that belongs to nobody's route."""


def access_log(gateway: Gateway) -> list[Json]:
    """Requests that the parser or the connection manager refuses never meet a script: a line of their own.

    Expressions cost more than all else in a line. What passed, and what a limit refused, needs none.
    """
    met, full = picks.noted(FILTER, "request"), _fields(gateway)
    plain = [_stdout(fields, picks.every(met, *which)) for which, fields in _plain(gateway, full)]
    return [
        *plain,
        _stdout(full, picks.every(met, _others())),
        _stdout(_unmet(gateway), picks.unnoted(FILTER, "request")),
    ]


_ANSWERED = picks.within(100, 399)
_FAILED = picks.some(picks.status(99, "LE"), picks.status(400, "GE"))
_ENVOY_COUNTED, _HOP_COUNTED = picks.unnoted(FILTER, "attempts"), picks.noted(FILTER, "attempts")
_UNLIMITED, _LIMITED = picks.unnoted(FILTER, "limited_by"), picks.noted(FILTER, "limited_by")


def _plain(gateway: Gateway, full: Json) -> Iterator[tuple[list[Json], Json]]:
    """The requests whose line needs no expression, and their fields. Together with `_others`: each request once."""
    native = {**full, "attempts": errors.ATTEMPTS, "upstream_ms": _note("upstream_ms")}
    passed = {**native, "limited_by": "", "problem": ""}
    limited = {**native, "limited_by": _note("limited_by"), "problem": _note("problem")}
    if cache.used(gateway):
        result, known = f"%DYNAMIC_METADATA({cache.FILTER}:result)%", (cache.FILTER, "result")
        yield [_ANSWERED, _UNLIMITED, _ENVOY_COUNTED, picks.noted(*known)], {**passed, "cache": result}
        yield [_ANSWERED, _UNLIMITED, _ENVOY_COUNTED, picks.unnoted(*known)], {**passed, "cache": ""}
    else:
        yield [_ANSWERED, _UNLIMITED, _ENVOY_COUNTED], passed
    yield [_FAILED, _LIMITED, picks.noted(FILTER, "problem"), _ENVOY_COUNTED], limited


def _others() -> Json:
    unexplained = picks.some(_UNLIMITED, picks.unnoted(FILTER, "problem"))
    return picks.some(_HOP_COUNTED, picks.every(_ANSWERED, _LIMITED), picks.every(_FAILED, unexplained))


def _note(name: str) -> str:
    return f"%DYNAMIC_METADATA({FILTER}:{name})%"


def noted(name: str, otherwise: str) -> str:
    """An expression for what a script has noted."""
    notes = f"metadata.filter_metadata['{FILTER}']"
    return f"('{FILTER}' in metadata.filter_metadata && '{name}' in {notes} ? {notes}['{name}'] : {otherwise})"


def _on_route(name: str) -> str:
    """Whether the route says anything to the filter `name`."""
    return f"('{name}' in xds.route_metadata.filter_metadata)"


def cel(expression: str) -> str:
    return f"%TYPED_CEL({expression})%"


_DURATION = "(request.duration.getSeconds() * 1000 + request.duration.getMilliseconds())"
_ASKED = f"('{ATTEMPT}' in metadata.filter_metadata)"
_SPENDS = f"{_on_route(ATTEMPT)} && 'cost' in xds.route_metadata.filter_metadata['{ATTEMPT}']"
ATTEMPTS_TAKEN = noted("attempts", f"{_ASKED} ? upstream.request_attempt_count : 0")
_STORED = "('x-cache' in response.headers && response.headers['x-cache'] in ['HIT', 'STALE'])"
CACHE = f"{_on_route(cache.FILTER)} && 'x-cache' in response.headers ? response.headers['x-cache'] : ''"


def _by_status() -> str:
    """The type of the problem that Envoy itself has answered with."""
    limited_by = noted("limited_by", "''")
    full = f"{limited_by} in ['{CONCURRENCY}', '{UPSTREAM_CONCURRENCY}'] ? 'overloaded'"
    unavailable = f"{full} : {limited_by} == '{BREAKER}' ? 'circuit-open' : 'unavailable'"
    limited = f"{limited_by} == '{BUDGET}' ? 'budget-exhausted' : 'rate-limited'"
    kinds = {status: f"'{kind}'" for status, kind in BY_STATUS.items()}
    kinds |= {503: f"({unavailable})", 429: f"({limited})"}
    cases = " : ".join(f"response.code == {status} ? {kind}" for status, kind in sorted(kinds.items()))
    others = "response.code < 500 ? 'bad-request' : 'internal-error'"
    return f"!has(response.code) || response.code < 400 ? '' : {cases} : {others}"


def _problem() -> str:
    """None for what the cache answered, be it in the place of a failure."""
    own = f"!has(response.code) || response.code_details == 'via_upstream' ? '' : {_by_status()}"
    return f"{_on_route(cache.FILTER)} && {_STORED} ? '' : {noted('problem', own)}"


def _fields(gateway: Gateway) -> Json:
    """Of a request that the scripts have met."""
    request = f"%DYNAMIC_METADATA({FILTER}:request:"
    return {
        **_common(),
        **_of_policies(gateway),
        "request_id": REQUEST_ID,
        "trace_id": f"{request}trace_id)%" if gateway.tracing is None else "%TRACE_ID%",
        "service": "%METADATA(ROUTE:gwc:service)%",
        "route": "%METADATA(ROUTE:gwc:route)%",
        "method": "%REQ(:METHOD)%",
        "host": f"{request}host)%",
        "path": INSTANCE,
        "query": f"{request}query)%",
        "keys": {name: f"{request}keys:{name})%" for name in _keys(gateway)},
        "upstream_ms": cel(noted("upstream_ms", f"{_ASKED} && !has(response.code) ? {_DURATION} : null")),
        "attempts": cel(ATTEMPTS_TAKEN),
        "limited_by": cel(noted("limited_by", "''")),
        "problem": cel(_problem()),
    }


def _of_policies(gateway: Gateway) -> Json:
    """What no request has where no policy gives it: an expression costs more than all of the plain fields."""
    routes = [route for service in gateway.services for route in service.routes]
    told = {
        "user": (any(route.auth is not None for route in routes), noted("user", "''"), ""),
        "cost": (_spending(gateway), noted("cost", f"{_SPENDS} ? 0 : null"), "%REQ(x-gwc-none)%"),
        "cache": (any(route.cache is not None for route in routes), CACHE, ""),
        "shadowed_by": (_shadows(gateway), noted("shadowed_by", "[]"), []),
    }
    return {name: cel(expression) if there else nothing for name, (there, expression, nothing) in told.items()}


@per_gateway
def _spending(gateway: Gateway) -> bool:
    return any(service.budget is not None for service in gateway.services)


def _common() -> Json:
    return {
        "time": "%START_TIME(%Y-%m-%dT%H:%M:%E3SZ)%",
        "client_ip": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
        "status": "%RESPONSE_CODE%",
        "bytes": "%BYTES_SENT%",
        "duration_ms": "%DURATION%",
    }


def _unmet(gateway: Gateway) -> Json:
    """Of a request that was refused before: what it said is not to be believed, where there is anything at all."""
    said = {"method": "method", "host": "host", "path": "url_path"}
    empty = ("request_id", "trace_id", "service", "route", "query", "user", "cache", "limited_by")
    return {
        **_common(),
        **dict.fromkeys(empty, ""),
        **{name: cel(f"has(request.{field}) ? request.{field} : ''") for name, field in said.items()},
        "keys": {name: cel("null") for name in _keys(gateway)},
        **{name: cel("null") for name in ("upstream_ms", "cost")},
        "attempts": cel("0"),
        "shadowed_by": [],
        "problem": cel(_by_status()),
    }


def _stdout(fields: Json, which: Json) -> Json:
    logger = extension(
        "envoy.access_loggers.stdout",
        "extensions.access_loggers.stream.v3.StdoutAccessLog",
        log_format={"json_format": fields},
    )
    return {**logger, "filter": which}
