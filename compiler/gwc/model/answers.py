"""What a client sees: the service's answer less what is none of its business, and the gateway's own errors."""

from __future__ import annotations

import json
import re
from math import ceil

from gwc.ir import Gateway, Route, Service
from gwc.model import origins
from gwc.model.request import Outcome
from gwc.model.wire import Asked, Headers, Said, changed, hops, values, without
from gwc.problems import PROBLEMS, UPSTREAM_STATUS_TYPES

_BANNER = re.compile(r"server|via|x-(envoy|kong|accel|consumer|gwc)-.*", re.IGNORECASE)
_OUTLIVES = re.compile(r"retry-after|set-cookie|vary|access-control-.*", re.IGNORECASE)
"""What stays of an answer whose body becomes a problem."""
PROBLEM_TYPE = "application/problem+json"
_PROBLEM = re.compile(r"application/problem\+json\s*(;|\Z)", re.IGNORECASE)
_REPLAYED_NEVER = ("ratelimit", "ratelimit-policy", "retry-after", "traceparent", "tracestate")


class Answers:
    def __init__(self, gateway: Gateway) -> None:
        self._id, self._base = gateway.request_id.header, gateway.error_type_base
        keys = gateway.identity.api_key
        self._key_header = keys.header if keys else ""
        self._quotas = {
            limit.id: limit.rate
            for service in gateway.services
            for level in (gateway.limits, service.limits, *(route.limits for route in service.routes))
            for limit in level
        }

    def passed(self, said: Said, service: Service) -> Headers:
        """A service's headers without those that never reach a client."""
        own = {self._id.lower(), "x-cache", *hops(said.headers)}
        if service.budget is not None and service.budget.charge is not None:
            own.add(service.budget.charge.lower())
        return tuple(pair for pair in said.headers if pair[0].lower() not in own and not _BANNER.fullmatch(pair[0]))

    def finished(
        self, asked: Asked, route: Route | None, headers: Headers, request_id: str, cache: str, *, kept: bool = False
    ) -> Headers:
        """With what belongs to every answer: the policy's changes, origins, the id and X-Cache."""
        if kept:
            headers = without(headers, _REPLAYED_NEVER)
        if route is not None:
            changes = route.headers.response
            headers = origins.named(asked, route, changed(headers, changes.set, changes.remove))
        headers = changed(headers, [(self._id, request_id)])
        return changed(headers, [("X-Cache", cache)]) if cache else headers

    def shaped(self, said: Said) -> str:
        """The type of the problem that stands for a service's own error; empty for none."""
        kind = ", ".join(values(said.headers, "content-type"))
        if (said.status != 429 and said.status < 500) or _PROBLEM.match(kind):
            return ""
        return UPSTREAM_STATUS_TYPES.get(said.status, "internal-error")

    def problem(self, kind: str, status: int, asked: Asked, request_id: str) -> bytes:
        known = PROBLEMS[kind]
        document = {
            "type": self._base + kind, "title": known.title, "status": status, "detail": known.detail,
            "instance": asked.path, "request_id": request_id,
        }  # fmt: skip
        return b"" if asked.method == "HEAD" else json.dumps(document).encode()

    def explained(self, outcome: Outcome, route: Route | None, allow: tuple[str, ...]) -> Headers:
        """What a refusal says beside its body."""
        headers: Headers = (("Content-Type", PROBLEM_TYPE),)
        if outcome.status == 405:
            headers = (*headers, ("Allow", ", ".join(allow)))
        if outcome.status == 401 and route is not None and route.auth is not None:
            by_key = f'ApiKey header="{self._key_header}"'
            headers = (*headers, ("WWW-Authenticate", "Bearer" if "jwt" in route.auth.providers else by_key))
        if outcome.retry_after is not None:
            headers = (*headers, ("Retry-After", str(seconds(outcome.retry_after))))
        return (*headers, *self._limits(outcome))

    def _limits(self, outcome: Outcome) -> Headers:
        if outcome.status != 429 or outcome.retry_after is None:
            return ()
        wait, rate = seconds(outcome.retry_after), self._quotas.get(outcome.limited_by)
        policy = f'"{outcome.limited_by}";q={rate.tokens};w={rate.period}' if rate else f'"{outcome.limited_by}"'
        return ("RateLimit-Policy", policy), ("RateLimit", f'"{outcome.limited_by}";r=0;t={wait}')


def outlives(headers: Headers) -> Headers:
    return tuple(pair for pair in headers if _OUTLIVES.fullmatch(pair[0]))


def seconds(wait: float) -> int:
    """As Retry-After tells it: whole, and at least one. A hundredth more is the clock's."""
    return max(1, ceil(wait - 0.01))
