"""Error shaping: everything that Envoy answers itself, and every upstream 429 and 5xx, becomes problem+json.

Envoy's own answers pass the mappers of `local_reply`, the first that fits. An upstream's error is swallowed by
`upstream_filter`, which answers in its place and so reaches the same mappers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from gwc.ir import Gateway
from gwc.observability.access_log import BREAKER, CONCURRENCY, UPSTREAM_CONCURRENCY
from gwc.problems import PROBLEMS, UPSTREAM_STATUS_TYPES, Problem
from gwc_envoy import breaker, budget, cors, picks, request_id, retries
from gwc_envoy.request_id import INSTANCE, REQUEST_ID
from gwc_envoy.xds import Json, extension, literal, set_header

PROBLEM_JSON = "application/problem+json"
SERVED_HEADER = "x-gwc-served"
"""Set on a request that the cache answers; clients cannot send it (see `identity`)."""
COVERED_HEADER = "x-gwc-covered"
CACHE_RESULT = "%DYNAMIC_METADATA(gwc.cache:result)%"
ATTEMPTS_HEADER, LIMITED_BY_HEADER, PROBLEM_HEADER = "x-gwc-attempts", "x-gwc-limited-by", "x-gwc-problem"
"""What an answer tells of itself on its way out to the listener; never shown to a client, nor taken from a service."""
ATTEMPTS = "%UPSTREAM_REQUEST_ATTEMPT_COUNT%"
_NAMESPACE = "gwc.errors"
_IS_PROBLEM = r"(?i)application/problem\+json[ \t]*(;.*)?"


@dataclass(frozen=True, slots=True)
class Mapper:
    """`filter` picks an answer; `problem` shapes it. `keep` leaves the status as it is."""

    filter: Json
    problem: Problem
    keep: bool = False
    headers: tuple[tuple[str, str], ...] = ()
    instance: str = INSTANCE
    guard: str = ""  # what refuses a try before it is sent: the breaker, or a cap


def _flags(*flags: str) -> Json:
    return {"response_flag_filter": {"flags": list(flags)}}


def _details(word: str, *statuses: int) -> Json:
    """An expression, which costs a lot: asked of no answer but those that Envoy gives one of `statuses`."""
    told = picks.some(*(picks.status(status) for status in statuses))
    return picks.every(told, _cel(f"response.code_details.contains('{word}')"))


def _cel(expression: str) -> Json:
    return {
        "extension_filter": extension(
            "envoy.access_loggers.extension_filters.cel",
            "extensions.access_loggers.filters.cel.v3.ExpressionFilter",
            expression=expression,
        )
    }


def _over_the_cap() -> Json:
    """Envoy flags a failure that its retry budget lets nobody try again alike: only the details tell the two apart."""
    return picks.every(_flags("UO"), _cel("response.code_details.contains('overflow')"))


BY_STATUS = {
    401: "unauthorized",
    403: "forbidden",
    404: "not-found",
    405: "method-not-allowed",
    408: "request-timeout",
    413: "payload-too-large",
    414: "uri-too-long",
    431: "headers-too-large",
    **UPSTREAM_STATUS_TYPES,
}

MAPPERS = (
    # What Envoy calls 503 are three different things to a client.
    Mapper(_over_the_cap(), PROBLEMS["overloaded"], headers=(("retry-after", "1"),), guard=UPSTREAM_CONCURRENCY),
    Mapper(_flags("RLSE"), PROBLEMS["unavailable"], headers=(("retry-after", "1"),)),  # nobody to ask for the count
    Mapper(_details("connection_timeout", 503), PROBLEMS["timeout"]),
    # An upgrade that the route does not allow is refused before any filter has noted the path.
    Mapper(_details("upgrade_failed", 403), PROBLEMS["bad-request"], instance="%PATH(NQ:PATH)%"),
    Mapper(_flags("UF", "UC", "UR", "LR", "UPE", "UH", "NC", "DF"), PROBLEMS["bad-gateway"]),
    Mapper(picks.status(budget.STATUS), PROBLEMS["budget-exhausted"]),
    *(Mapper(picks.status(status), PROBLEMS[kind], keep=True) for status, kind in BY_STATUS.items()),
    Mapper(picks.status(500, "GE"), PROBLEMS["internal-error"], keep=True),
    Mapper(picks.status(400, "GE"), PROBLEMS["bad-request"], keep=True),
)  # fmt: skip


class Place(Enum):
    """Where a connection manager stands: what it answers tells those before it what it was and how often it tried."""

    LISTENER = (False, False)
    HOP = (True, True)
    TRY = (True, False)

    @property
    def tells(self) -> bool:
        return self.value[0]

    @property
    def counts(self) -> bool:
        return self.value[1]


def local_reply(gateway: Gateway, place: Place = Place.HOP) -> Json:
    """Every mapper repeats the request id's own header, those of CORS and the cache's: an answer in the place of an
    upstream's passes no filter."""
    return {"mappers": [*_untouched(gateway), *_mappers(gateway, place)]}


def _untouched(gateway: Gateway) -> list[Json]:
    """What the cache answers is as the service wrote it."""
    served = {"header": {"name": SERVED_HEADER, "present_match": True}}
    return [{"filter": {"header_filter": served}}] if _caches(gateway) else []


def _caches(gateway: Gateway) -> bool:
    return any(route.cache is not None for service in gateway.services for route in service.routes)


def _mappers(gateway: Gateway, place: Place) -> list[Json]:
    outcome = [set_header("x-cache", CACHE_RESULT)] if _caches(gateway) else []
    named = [*request_id.header_to_add(gateway), *cors.headers_to_add(gateway), *outcome]
    return [
        _mapper(gateway.error_type_base, mapper, [*named, *_telling(gateway, mapper, place)])
        for mapper in (*_out_of_use(gateway), *MAPPERS)
    ]


def _telling(gateway: Gateway, mapper: Mapper, place: Place) -> Iterator[Json]:
    """For the access log. On the listener a refusal by a guard alone: no other answer is sure to pass a filter."""
    if mapper.guard:
        first = place is Place.LISTENER and gateway.concurrency is not None and mapper.guard == UPSTREAM_CONCURRENCY
        yield set_header(LIMITED_BY_HEADER, CONCURRENCY if first else mapper.guard)
    if place.tells:
        yield set_header(PROBLEM_HEADER, mapper.problem.type)
    if place.counts or (mapper.guard and not place.tells):
        yield set_header(ATTEMPTS_HEADER, ATTEMPTS)


def _out_of_use(gateway: Gateway) -> Iterator[Mapper]:
    """No endpoint is left. Without a breaker or checks that means that the service's name is not known."""
    known = "xds.cluster_metadata.filter_metadata"
    for pause in breaker.pauses(gateway):
        said = f"{known}['{breaker.OUT_OF_USE}']['retry_after'] == '{pause or ''}'"
        picked = picks.every(_flags("UH"), _cel(f"'{breaker.OUT_OF_USE}' in {known} && {said}"))
        problem = PROBLEMS["unavailable" if pause is None else "circuit-open"]
        wait = () if pause is None else (("retry-after", pause),)
        yield Mapper(picked, problem, headers=wait, guard=BREAKER)


def _mapper(base: str, mapper: Mapper, added: list[Json]) -> Json:
    shaped: Json = {"filter": mapper.filter, "body_format_override": _body(base, mapper)}
    if not mapper.keep:
        shaped["status_code"] = mapper.problem.status
    if headers := [*(set_header(name, value) for name, value in mapper.headers), *added]:
        shaped["headers_to_add"] = headers
    return shaped


def _body(base: str, mapper: Mapper) -> Json:
    problem = mapper.problem
    fields = {
        "type": literal(base + problem.type),
        "title": literal(problem.title),
        "status": "%RESPONSE_CODE%",
        "detail": literal(problem.detail),
        "instance": mapper.instance,
        "request_id": REQUEST_ID,
    }
    return {"json_format": fields, "content_type": PROBLEM_JSON}


_FAILED_TRY = 499
"""The status of a failed try between two hops: none that a policy can list as a cause of retries."""
_FAILURES = (
    (retries.CONNECT_TIMEOUT, _details("connection_timeout", 503)),
    (retries.CONNECT, _flags("UF", "UH", "NC", "DF")),
    (retries.TIMEOUT, _flags("UT", "SI")),
    (retries.RESET, _flags("UC", "UR", "LR", "UPE")),
)


def failure_replies(gateway: Gateway) -> Json:
    """Behind the hop of a single try: why it failed, for the retry policy on the other side."""
    guards = [
        _mapper(gateway.error_type_base, mapper, list(_telling(gateway, mapper, Place.TRY)))
        for mapper in (*_out_of_use(gateway), MAPPERS[0])
    ]
    mappers = [
        {
            "filter": picked,
            "status_code": _FAILED_TRY,
            "headers_to_add": [set_header(retries.CAUSE_HEADER, cause)],
            "body_format_override": {"text_format_source": {"inline_string": "failed try"}},
        }
        for cause, picked in _FAILURES
    ]
    return {"mappers": [*guards, *mappers, *_mappers(gateway, Place.TRY)]}


def upstream_filter() -> Json:
    """Answers instead of an upstream's 429 and 5xx unless they are problem+json, and instead of a failed try."""
    cases = [
        (_header(retries.CAUSE_HEADER, f"{retries.CONNECT_TIMEOUT}|{retries.TIMEOUT}"), _replacement(504)),
        (_header(retries.CAUSE_HEADER, f"{retries.CONNECT}|{retries.RESET}"), _replacement(502)),
        (_all(_ERROR, _FOREIGN, _WAITS), _replacement(None, _RETRY_AFTER)),
        (_all(_ERROR, _FOREIGN), _replacement(None)),
    ]
    return _replacing("gwc.upstream_errors", cases)


def covered_filter() -> Json:
    """Ends an error that a kept answer is about to take the place of: nobody waits for its body."""
    return _replacing("gwc.covered", [(_header(COVERED_HEADER, "1"), _replacement(None))])


def _replacing(name: str, cases: list[tuple[Json, Json]]) -> Json:
    matchers = [{"predicate": predicate, "on_match": {"action": action}} for predicate, action in cases]
    return extension(
        name,
        "extensions.filters.http.custom_response.v3.CustomResponse",
        custom_response_matcher={"matcher_list": {"matchers": matchers}},
    )


def _replacement(status: int | None, *added: Json) -> Json:
    """The upstream's status unless one is given, and none of its headers but those `added`."""
    fields: Json = {"body": {"inline_string": "upstream error"}}
    if status is not None:
        fields["status_code"] = status
    if added:
        fields["response_headers_to_add"] = list(added)
    return extension(
        "gwc.upstream_error",
        "extensions.http.custom_response.local_response_policy.v3.LocalResponsePolicy",
        **fields,
    )


def retry_after_filter() -> Json:
    """Notes the service's Retry-After: the answer that replaces its own is made without a look at its headers."""
    note = {"metadata_namespace": _NAMESPACE, "key": "retry_after", "type": "STRING"}
    return extension(
        "gwc.retry_after",
        "extensions.filters.http.header_to_metadata.v3.Config",
        response_rules=[{"header": "retry-after", "on_header_present": note}],
    )


def _response(name: str, message: str, value: Json, **fields: str) -> Json:
    return {
        "single_predicate": {
            "input": extension(name, f"type.matcher.v3.{message}", **fields),
            "value_match": value,
        }
    }


def _header(name: str, regex: str) -> Json:
    value = {"safe_regex": {"google_re2": {}, "regex": regex}}
    return _response(name, "HttpResponseHeaderMatchInput", value, header_name=name)


def _status_is(*statuses: int) -> Json:
    return _any(*(_response("status", "HttpResponseStatusCodeMatchInput", {"exact": str(s)}) for s in statuses))


def _all(*predicates: Json) -> Json:
    return {"and_matcher": {"predicate": list(predicates)}}


def _any(*predicates: Json) -> Json:
    return {"or_matcher": {"predicate": list(predicates)}} if len(predicates) > 1 else predicates[0]


_ERROR = _any(_response("status-class", "HttpResponseStatusCodeClassMatchInput", {"exact": "5xx"}), _status_is(429))
_FOREIGN = {"not_matcher": _header("content-type", _IS_PROBLEM)}
_WAITS = _all(_header("retry-after", "[0-9A-Za-z ,:-]{1,40}"), _status_is(429, 503))
_RETRY_AFTER = set_header("retry-after", f"%DYNAMIC_METADATA({_NAMESPACE}:retry_after)%")
