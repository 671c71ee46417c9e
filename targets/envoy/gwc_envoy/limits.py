"""Rate limits: token buckets in this process.

There is one filter for each stage and mode, on the listener and not on routes, because every configuration of such a
filter has buckets of its own: those of a limit are shared by all routes and hosts that it covers. Routes name the
limits that apply to them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from gwc.derived import per_gateway
from gwc.features import limits as all_limits
from gwc.ir import Gateway, Limit, LimitKey
from gwc_envoy import cluster
from gwc_envoy.auth import USER_HEADER
from gwc_envoy.rows import Rows
from gwc_envoy.shared import Shared, shared
from gwc_envoy.stages import AFTER_AUTH, BEFORE_AUTH, Stage, stage_of
from gwc_envoy.xds import Json, extension, lua, set_header, typed

DISTINCT = 100_000
"""Buckets kept for each limit, the least recently used given up first: about 60 MB when all are in use."""

LARGEST_RATE = 2**32 - 1
"""Tokens a period; what Envoy's field can hold, and more than any gateway serves."""

SHADOW_HEADER, REFUSED_HEADER = "x-gwc-shadow", "x-gwc-refused"
_ALWAYS = Shared({"default_value": {"numerator": 100, "denominator": "HUNDRED"}, "runtime_key": "gwc.none"})
_NEVER = Shared({"default_value": {"numerator": 0, "denominator": "HUNDRED"}, "runtime_key": "gwc.none"})
_VALUE_LENGTH = 128
NAMESPACE = "gwc.limits"
_MESSAGE = "extensions.filters.http.local_ratelimit.v3.LocalRateLimit"


@per_gateway
def rendered(gateway: Gateway) -> tuple[Limit, ...]:
    """Every limit that counts in this process."""
    return tuple([limit for _, limit in all_limits(gateway) if not limit.cluster])


def filters(gateway: Gateway, stages: tuple[Stage, ...]) -> Iterator[Json]:
    """Those of `stages`, in turn: as many of each as there are limits that one request may meet there."""
    for stage in stages:
        held = [limit for limit in rendered(gateway) if stage.holds(limit)]
        yield from (_filter(stage, number, group) for number, group in enumerate(_groups(gateway, held)))
        yield from [_note_shadows(stage)] if held and stage.shadow else []


def numbers_of(limits: Iterable[Limit]) -> dict[str, int]:
    """Which filter of its stage holds each of the limits that a request may meet, from the platform's to the route's.

    A refusal names a burst, so those that share one are in different filters. A shadow is named by its filter alone, so
    no two of them are in the same.
    """
    met: Counter[tuple[bool, int | None]] = Counter()
    numbers: dict[str, int] = {}
    for limit in limits:
        if not limit.cluster:
            like = (limit.key is LimitKey.IP, None if limit.shadow else limit.burst)
            numbers[limit.id] = met[like]
            met[like] += 1
    return numbers


def _groups(gateway: Gateway, held: list[Limit]) -> list[list[Limit]]:
    numbers, found = _further(gateway), dict[int, list[Limit]]()
    for limit in held:
        found.setdefault(numbers.get(limit.id, 0), []).append(limit)
    return [found[number] for number in sorted(found)]


@per_gateway
def _further(gateway: Gateway) -> dict[str, int]:
    """The numbers of the limits that are not in the first filter of their stage."""
    numbers = numbers_of(gateway.limits)
    for service in gateway.services:
        found, levels = dict[str, int](), [(), *(route.limits for route in service.routes if route.limits)]
        for own in levels if service.limits or len(levels) > 1 else ():
            found |= numbers_of((*gateway.limits, *service.limits, *own))
        numbers |= {name: number for name, number in found.items() if number}
    return numbers


def shadows(gateway: Gateway) -> int:
    """How many shadow limits a request may meet, at most."""
    held = [[m for m in rendered(gateway) if stage.holds(m)] for stage in (*BEFORE_AUTH, *AFTER_AUTH) if stage.shadow]
    return sum(len(_groups(gateway, limits)) for limits in held)


def filter_name(stage: Stage, number: int) -> str:
    return stage.name if number == 0 else f"{stage.name}.{number}"


def _filter(stage: Stage, number: int, held: list[Limit]) -> Json:
    """The first of a stage counts what routes name to it, further ones what the routes' metadata names."""
    name = filter_name(stage, number)
    told = {} if number == 0 else {"rate_limits": [_told(slot) for slot in sorted({_slot(name, m) for m in held})]}
    return extension(
        name,
        _MESSAGE,
        stat_prefix=name,
        stage=stage.number,
        filter_enabled=_ALWAYS,
        max_dynamic_descriptors=DISTINCT,
        descriptors=Rows(name, lambda: map(_descriptor, held)),
        **(_watching(name) if stage.shadow else _refusing(refusal(stage.early, number))),
        **told,
    )


def _refusing(name: str) -> Json:
    return {
        "filter_enforced": _ALWAYS,
        "response_headers_to_add": [set_header(REFUSED_HEADER, name)],
        "enable_x_ratelimit_headers": "DRAFT_VERSION_03",
        "enable_retry_after_header": True,
    }


def _watching(name: str) -> Json:
    """Tells that a limit was met; the route says which one of its limits the filter holds."""
    met = {"key": SHADOW_HEADER, "value": f"%METADATA(ROUTE:{NAMESPACE}:{name})%"}
    return {
        "filter_enforced": _NEVER,
        "request_headers_to_add_when_not_enforced": [{"header": met, "append_action": "APPEND_IF_EXISTS_OR_ADD"}],
        "enable_x_ratelimit_headers": "OFF",
    }


@dataclass(frozen=True, slots=True, order=True)
class _Slot:
    """The place in a route's metadata where a further filter finds the id of the limit that it counts for there.

    Of those that a filter refuses by, a request meets one of each burst; of the others one.
    """

    filter: str
    key: LimitKey
    header: str
    burst: int

    @property
    def name(self) -> str:
        return "/".join(
            [self.filter, self.key.value, *filter(None, [self.header]), *map(str, filter(None, [self.burst]))]
        )


def _slot(name: str, limit: Limit) -> _Slot:
    return _Slot(name, limit.key, limit.header or "", 0 if limit.shadow else limit.burst)


def told(number: int, limit: Limit) -> dict[str, str]:
    """What a route's metadata says to the filter that holds its limit: to watch, by which name; to count, for which."""
    name = filter_name(stage_of(limit), number)
    watched = {name: limit.id} if limit.shadow else {}
    return watched | ({_slot(name, limit).name: limit.id} if number > 0 else {})


def _told(slot: _Slot) -> Json:
    where = {"key": NAMESPACE, "path": [{"key": slot.name}]}
    named = {"metadata": {"descriptor_key": "limit", "metadata_key": where, "source": "ROUTE_ENTRY"}}
    return {"actions": [named, *key_of(slot.key, slot.header or None)]}


def _note_shadows(stage: Stage) -> Json:
    """For the access log: by its time the request has lost the header."""
    note = {"metadata_namespace": "gwc.access_log", "key": "shadows", "type": "STRING"}
    return extension(
        f"{stage.name}.noted",
        "extensions.filters.http.header_to_metadata.v3.Config",
        request_rules=[{"header": SHADOW_HEADER, "on_header_present": note}],
    )


def _descriptor(limit: Limit) -> Json:
    """An entry without a value has a bucket for every value that it meets."""
    whose = [] if limit.key is LimitKey.SERVICE else [_WILDCARDS[limit.key]]
    bucket = _bucket(limit.burst, limit.rate.tokens, limit.rate.period)
    return {"entries": [{"key": "limit", "value": limit.id}, *whose], "token_bucket": bucket}


_WILDCARDS = {
    LimitKey.IP: Shared({"key": "masked_remote_address"}),
    LimitKey.USER: Shared({"key": "user"}),
    LimitKey.HEADER: Shared({"key": "header"}),
}


@shared
def _bucket(burst: int, tokens: int, period: int) -> Json:
    return {"max_tokens": burst, "tokens_per_fill": min(tokens, LARGEST_RATE), "fill_interval": f"{period}s"}


def share_a_stage(gateway: Gateway, limit: Limit) -> bool:
    """Whether some request passes `limit` and another one of its stage, which Envoy takes in turn."""
    return limit.id in _sharing(gateway)


@per_gateway
def _sharing(gateway: Gateway) -> frozenset[str]:
    found: set[str] = set()
    for service in gateway.services:
        above = (*gateway.limits, *service.limits)
        plain = {route.auth is not None for route in service.routes if not route.limits}
        own = [(route.limits, route.auth is not None) for route in service.routes if route.limits]
        for limits, private in (*(((), each) for each in plain), *own):
            by_stage: dict[tuple[bool, bool], list[str]] = {}
            for limit in (*above, *limits):
                if not limit.cluster and counts(limit, private):
                    by_stage.setdefault((limit.key is LimitKey.IP, limit.shadow), []).append(limit.id)
            for names in by_stage.values():
                found.update(names if len(names) > 1 else ())
    return frozenset(found)


def counts(limit: Limit, private: bool) -> bool:
    """A service's user limits do not apply to its public routes."""
    return limit.key is not LimitKey.USER or private


def key_of(key: LimitKey, header: str | None) -> list[Json]:
    return [] if key is LimitKey.SERVICE else [_value(key, header)]


@shared
def _value(key: LimitKey, header: str | None) -> Json:
    if key is LimitKey.IP:  # a client has a /64 of IPv6
        return {"masked_remote_address": {"v4_prefix_mask_len": 32, "v6_prefix_mask_len": 64}}
    if key is LimitKey.USER:
        return {"request_headers": {"header_name": USER_HEADER, "descriptor_key": "user"}}
    return _header_value(str(header))


def _header_value(header: str) -> Json:
    """Requests without the header share one bucket: an absent value would otherwise be no limit at all."""
    where = {"key": NAMESPACE, "path": [{"key": header}]}
    metadata = {"descriptor_key": "header", "metadata_key": where, "source": "DYNAMIC", "default_value": "-"}
    return {"metadata": metadata}


def header_filter(gateway: Gateway) -> Json | None:
    """Notes the headers that limits count by. What is longer than anybody's key shares a bucket with its beginning."""
    counted = (*rendered(gateway), *cluster.counted(gateway))
    names = sorted({limit.header for limit in counted if limit.header is not None})
    if not names:
        return None
    return extension(
        "gwc.limits.headers",
        "extensions.filters.http.header_to_metadata.v3.Config",
        request_rules=[_rule(name) for name in names],
    )


def _rule(name: str) -> Json:
    shortened = {"pattern": {"regex": f"^(.{{1,{_VALUE_LENGTH}}}).*$"}, "substitution": "\\1"}
    note = {"metadata_namespace": NAMESPACE, "key": name, "type": "STRING", "regex_value_rewrite": shortened}
    return {"header": name, "on_header_present": note}


ANSWER = "gwc.limits.answer"


def unanswered(gateway: Gateway) -> Json:
    """For routes on which no limit refuses: the script of `answer_filter` costs, and has nothing to say there."""
    off = {ANSWER: Shared(typed("config.route.v3.FilterConfig", disabled=True))}
    return off if _answers(gateway) else {}


def answer_filter(gateway: Gateway) -> Json | None:
    """Adds the standard's headers to a refusal, and the time of renewal to a budget's."""
    return lua(ANSWER, "ratelimit.lua") if _answers(gateway) else None


def _answers(gateway: Gateway) -> bool:
    budgets = any(service.budget is not None for service in gateway.services)
    enforced = any(not limit.shadow for limit in (*rendered(gateway), *cluster.counted(gateway)))
    return enforced or budgets


def refusal(early: bool, number: int) -> str:
    """How a filter names itself in its refusals."""
    return f"{'ip' if early else 'caller'}.{number}"
