"""What the policies' limits make of a log: token buckets filled and emptied from its lines alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gwc.ir import Gateway, Limit, LimitKey

Line = Mapping[str, Any]
_UNVERIFIED = ("unauthorized", "forbidden")


@dataclass(slots=True)
class _Bucket:
    limit: Limit
    tokens: float
    at: float

    def refill(self, now: float) -> None:
        gained = (now - self.at) * self.limit.rate.tokens / self.limit.rate.period
        self.tokens, self.at = min(self.limit.burst, self.tokens + gained), now


@dataclass(frozen=True, slots=True)
class Verdict:
    """By the buckets: the limits that would refuse (any of them may be named), and those in shadow mode."""

    line: Line
    refusing: tuple[str, ...]
    shadowing: tuple[str, ...]


def replay(gateway: Gateway, lines: Iterable[Line]) -> Iterator[Verdict]:
    """A verdict on each line whose route has limits, in the order of time."""
    buckets: dict[tuple[str, str], _Bucket] = {}
    for line in sorted(lines, key=lambda line: line["time"]):
        if (limits := _limits(gateway, line)) is not None:
            yield _judge(line, limits, buckets)


def _limits(gateway: Gateway, line: Line) -> list[Limit] | None:
    for service in gateway.services:
        for route in service.routes:
            if (service.name, route.name) == (line["service"], line["route"]):
                return [*gateway.limits, *service.limits, *route.limits]
    return None


def _judge(line: Line, limits: list[Limit], buckets: dict[tuple[str, str], _Bucket]) -> Verdict:
    refusing: list[str] = []
    shadowing: list[str] = []
    for stage in (True, False):
        if refusing or (not stage and line["problem"] in _UNVERIFIED):
            break  # a refusal reaches no later stage, and nor does whoever is not let in
        found = [_bucket(line, limit, buckets) for limit in limits if (limit.key is LimitKey.IP) is stage]
        empty = [bucket for bucket in found if bucket.tokens < 1]
        shadowing += [bucket.limit.id for bucket in empty if bucket.limit.shadow]
        refusing = [bucket.limit.id for bucket in empty if not bucket.limit.shadow]
        for bucket in found if not refusing else ():
            bucket.tokens -= bucket.tokens >= 1  # an empty one in shadow mode stays so
    return Verdict(line, tuple(refusing), tuple(shadowing))


def _bucket(line: Line, limit: Limit, buckets: dict[tuple[str, str], _Bucket]) -> _Bucket:
    now = datetime.fromisoformat(line["time"].replace("Z", "+00:00")).timestamp()
    key = {
        LimitKey.IP: line["client_ip"],
        LimitKey.USER: line["user"],
        LimitKey.SERVICE: "",
        LimitKey.HEADER: repr(line["keys"].get(limit.header)),
    }[limit.key]
    bucket = buckets.setdefault((limit.id, key), _Bucket(limit, limit.burst, now))
    bucket.refill(now)
    return bucket
