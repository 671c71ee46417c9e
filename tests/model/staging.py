"""Scenarios of the conformance tests put before the model: the same policies and requests, without a network.

A step that the model has no words for makes its case inexpressible, with a reason: the model knows requests and when
they end, no connections, no bytes and no failing upstreams.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from conformance.harness import Choice, compile_policies
from conformance.scenario import DUMMIES, Case, Expectation, Match, Scenario, Step
from conformance.script import Script
from gwc.ir import Gateway
from gwc.model import Answer, Model, Outcome, Request
from gwc.routing import MethodRoute

NOON = 1_795_435_200.0
_TOKEN = re.compile(
    r"(?i:bearer) +\$\{TOKEN:([\w.-]+)(?:,scopes=([^},]*))?(?:,(?:alg=ES256|exp=\d+|set\.(?:jti|name)=[^},]*))*\}"
)
_DEAD = frozenset(int(DUMMIES[name]) for name in ("TLS", "MTLS", "ROGUE", "SLAM", "DEAD", "BLACKHOLE"))


class InexpressibleError(Exception):
    """The reason why the model has no words for a step."""


@dataclass(slots=True)
class Played:
    """One request of a step, and what the model made of it."""

    step: Step
    outcome: Outcome
    answer: Answer


class Stage:
    """One case before a fresh model. Its clock goes on by delays, and by what answers take."""

    def __init__(self, gateway: Gateway, scenario: Scenario) -> None:
        self.model, self.gateway, self.clock = Model(gateway), gateway, NOON
        keys = gateway.identity.api_key
        self._key_header = keys.header.lower() if keys else ""
        values = [(scenario.secrets.get(c.secret.name, ""), c.name) for c in keys.consumers] if keys else []
        shared = Counter(value for value, _ in values)
        self._keys = {value: name for value, name in values if shared[value] == 1}

    def play(self, step: Step) -> list[Played]:
        """Repetitions in waves of as many as go at once. Raises InexpressibleError."""
        _refuse(step)
        self.clock += step.delay
        if step.align:
            self.clock = (self.clock // step.align + 1) * step.align
        played, begun = [], self.clock
        for number in range(step.repeat):
            played.append(self._ask(step, number))
            if (number + 1) % step.parallel == 0:
                self.clock += max(_took(one) for one in played[-step.parallel :])
        if step.background:
            self.clock = begun + 0.05
        self.clock += step.settle
        return played

    def _ask(self, step: Step, number: int) -> Played:
        request = self._request(step, number)
        matched = self.model.matcher.match(request.method, request.host, request.path).route
        if matched is not None:
            _refuse_upstream(step, matched)
        answer = _answer(step.upstream[0] if step.upstream else Script(), matched)
        return Played(step, self.model.ask(request, answer), answer)

    def _request(self, step: Step, number: int) -> Request:
        target = step.target.replace("${n}", str(number))
        if not target.startswith("/") or "#" in target:
            raise InexpressibleError("a target that is no path")
        path, _, query = target.partition("?")
        source = step.source.replace("${n}", str(number))
        headers = {name.lower(): value.replace("${n}", str(number)) for name, value in step.headers}
        if len(headers) < len(step.headers):
            raise InexpressibleError("a header that repeats")
        request = Request(self.clock, step.method, step.host or "", path, query, source, headers=headers)
        request.body = len(step.body.content)
        return self._verified(request, headers)

    def _verified(self, request: Request, headers: dict[str, str]) -> Request:
        """Who it is comes to the model from outside; which credentials are good is not its question."""
        token, key = headers.get("authorization"), headers.get(self._key_header) if self._key_header else None
        if token is not None and key is not None:
            raise InexpressibleError("several credentials")
        if key is not None:
            name = self._keys.get(key, "")
            user = f"api_key {name}" if name else ""
            return replace(request, user=user, credential="api_key", scopes=frozenset())
        if token is None:
            return request
        found = _TOKEN.fullmatch(token)
        if found is None:
            raise InexpressibleError("a credential that is not plainly good")
        scopes = frozenset((found[2] or "").replace("%20", " ").split())
        return replace(request, user=f"jwt {found[1]}", credential="jwt", scopes=scopes)


def _refuse(step: Step) -> None:
    facts = {
        "a WebSocket": step.websocket is not None,
        "a client that leaves": step.abandon is not None,
        "a gateway that restarts": step.restart,
        "active health checks": bool(step.health),
        "a slow client": step.slowly is not None,
        "the TLS listener": step.tls is not None,
        "the admin listener": step.admin,
        "what an HTTP parser judges": step.parser or step.version != "HTTP/1.1" or bool(step.padding or step.stretch),
        "a request without a host": step.host is None,
        "a preflight": step.method == "OPTIONS" and any(name.lower() == "origin" for name, _ in step.headers),
        "a conditional or partial request": any(name.lower() in _CONDITIONS for name, _ in step.headers),
        "gRPC": any("application/grpc" in value for _, value in step.headers),
        "an upstream that breaks off": any(script.fail for script in step.upstream),
        "an upstream that changes between tries": len(step.upstream) > 1,
        "an answer without an end": step.expect.cut is True,
    }
    if reason := next((reason for reason, holds in facts.items() if holds), None):
        raise InexpressibleError(reason)


_CONDITIONS = frozenset({"if-none-match", "if-modified-since", "range", "if-match", "if-range", "if-unmodified-since"})


def _refuse_upstream(step: Step, matched: MethodRoute) -> None:
    service, route = matched.service, matched.route
    failing = any(script.status >= 500 for script in step.upstream)
    if any(endpoint.address.port in _DEAD for endpoint in service.upstream.endpoints):
        raise InexpressibleError("an upstream that nobody reaches")
    if failing and (service.upstream.breaker is not None or route.retries.attempts):
        raise InexpressibleError("retries and breakers")
    if route.retries.per_try is not None and any(script.delay > route.retries.per_try for script in step.upstream):
        raise InexpressibleError("retries and breakers")
    if any(script.delay > route.timeouts.idle for script in step.upstream):
        raise InexpressibleError("a silence that is too long")
    if any(not endpoint.address.host[-1].isdigit() for endpoint in service.upstream.endpoints):
        raise InexpressibleError("an upstream that nobody reaches")
    if route.stream and any(script.delay for script in step.upstream):
        raise InexpressibleError("the time to the first byte of a stream")
    if service.budget is not None and service.budget.cluster:
        raise InexpressibleError("counts over several gateways")


def _answer(script: Script, matched: MethodRoute | None) -> Answer:
    headers = {name.lower(): value for name, value in script.headers}
    charge = matched.service.budget.charge if matched and matched.service.budget else None
    cost = headers.get(charge.lower()) if charge else None
    control = headers.get("cache-control", "").lower()
    private = "set-cookie" in headers or "content-range" in headers or headers.get("vary", "").strip() == "*"
    kept = not (private or "no-store" in control or "private" in control)
    seconds = script.delay + script.every * (script.chunks or script.events or 0)
    return Answer(script.status, seconds, int(cost) if cost and cost.isdigit() else None, kept)


def _took(one: Played) -> float:
    asked = one.outcome.cache in ("", "MISS", "BYPASS") and (
        not one.outcome.refused or one.outcome.problem == "timeout"
    )
    return one.answer.seconds if asked else 0.0


def gateway_of(scenario: Scenario) -> Gateway:
    """Raises InexpressibleError for a policy that is to be refused."""
    gateway, report = compile_policies(scenario, Choice("envoy", "default"), DUMMIES)
    if gateway is None:
        raise InexpressibleError(
            "policies that are not valid: " + "; ".join(d.message for d in report.diagnostics)[:200]
        )
    if gateway.trusted_proxies:
        raise InexpressibleError("proxies that name the client")
    if gateway.listen.https is not None:
        raise InexpressibleError("the TLS listener")
    return gateway


def faults(case: Case, scenario: Scenario, gateway: Gateway) -> Iterator[str]:
    """Where the model parts from what the case expects. Raises InexpressibleError."""
    stage = Stage(gateway, scenario)
    for number, step in enumerate(case.steps, 1):
        played = stage.play(step)
        for one in played:
            yield from (f"step {number} ({step.request}): {fault}" for fault in _compared(step.expect, one))
        yield from (f"step {number} ({step.request}): {fault}" for fault in _counted(step.expect, played))


def _compared(expect: Expectation, one: Played) -> Iterator[str]:
    outcome = one.outcome
    wanted = expect.status if isinstance(expect.status, list) else [expect.status]
    if expect.status is not None and outcome.status not in wanted:
        yield f"status {outcome.status} ({outcome.problem} {outcome.limited_by}), expected {expect.status}"
    if expect.problem is not None and outcome.problem != expect.problem.type and not _of_the_service(one):
        yield f"problem {outcome.problem!r}, expected {expect.problem.type!r}"
    if expect.retry_after is not None and not _of_the_service(one):
        low, high = expect.retry_after
        if outcome.retry_after is None or not low <= max(1, -(-outcome.retry_after // 1)) <= high:
            yield f"Retry-After {outcome.retry_after}, expected {expect.retry_after}"
    yield from _x_cache(expect, outcome)
    if outcome.status in expect.by_status:
        yield from _compared(expect.by_status[outcome.status], one)


def _of_the_service(one: Played) -> bool:
    """Its own 429 and 5xx become problems on the way, which is no question of policies."""
    return not one.outcome.problem and (one.answer.status == 429 or one.answer.status >= 500)


def _x_cache(expect: Expectation, outcome: Outcome) -> Iterator[str]:
    for name, wanted in expect.headers.items():
        if name.lower() != "x-cache":
            continue
        if isinstance(wanted, Match):
            allowed = wanted.one_of or ([outcome.cache] if re.fullmatch(wanted.matches or ".*", outcome.cache) else [])
        else:
            allowed = [wanted or ""]
        if outcome.cache not in allowed:
            yield f"X-Cache {outcome.cache!r}, expected {wanted!r}"


def _counted(expect: Expectation, played: list[Played]) -> Iterator[str]:
    for status, number in (expect.tally.status if expect.tally else {}).items():
        low, high = number if isinstance(number, tuple) else (number, number)
        found = sum(one.outcome.status == status for one in played)
        if not low <= found <= high:
            yield f"{found} answers with {status}, expected {number}"
