"""Scenarios of the conformance tests put before the model: the same policies, requests and judge, without a network.

A step that the model has no words for makes its case inexpressible, with a reason: the model knows requests, answers
and when they end, no bytes of a connection, no handshakes, and one endpoint of each service.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from unittest.mock import patch

from conformance import judge
from conformance.client import Response
from conformance.harness import Choice, compile_policies, shortened
from conformance.scenario import DUMMIES, Case, Expectation, Scenario, Step
from conformance.script import Script
from conformance.tokens import fill
from conformance.upstream import Seen, _body
from gwc.ir import Gateway
from gwc.model import Edge, wire
from gwc.model.wire import UNTOLD, UNTOLD_INSIDE, Arrived, Asked, Exchange
from gwc.routing import MethodRoute
from model.verifying import Verifier

NOON = 1_795_435_200.0
PURGE = re.compile(r"/cache/purge/([a-z0-9-]+)/([a-z0-9_-]+)")
_DEAD = {int(DUMMIES["DEAD"]): "refused", int(DUMMIES["SLAM"]): "reset", int(DUMMIES["BLACKHOLE"]): "unreachable"}
_TLS = frozenset(int(DUMMIES[name]) for name in ("TLS", "MTLS", "ROGUE"))
_INSTANCES = {int(DUMMIES[name]): name for name in ("A", "B", "C")}
_FAILURES: dict[str, wire.Failure] = {
    "reset": "reset", "close": "reset", "garbage": "reset", "hang": "hang", "reset_mid": "cut", "close_mid": "cut",
}  # fmt: skip


class InexpressibleError(Exception):
    """The reason why the model has no words for a step."""


@dataclass(slots=True)
class Played:
    """One request of a step: what the model made of it, as a client and a service would have seen it."""

    response: Response
    seen: list[Seen]
    took: float


class Stage:
    """One case before a fresh model. Its clock goes on by delays, and by what answers take."""

    def __init__(self, gateway: Gateway, scenario: Scenario) -> None:
        self.gateway, self.scenario, self.clock = gateway, scenario, NOON
        self._secrets = {name: value for name, value in scenario.environ.items() if isinstance(value, str)}
        self.edge = Edge(gateway, self._secrets)
        self._tried = 0
        self._verifier = Verifier(gateway, self._secrets)

    def play(self, step: Step) -> list[Played]:
        """Repetitions in waves of as many as go at once. Raises InexpressibleError."""
        _refuse(step)
        self.clock += step.delay
        if step.restart:
            self.edge = Edge(self.gateway, self._secrets)
        if step.align:
            self.clock = (self.clock // step.align + 1) * step.align
        played, begun, self._tried = [], self.clock, 0
        for number in range(step.repeat):
            played.append(self._play(step, number))
            if (number + 1) % step.parallel == 0:
                self.clock += max(one.took for one in played[-step.parallel :])
        if step.background:
            self.clock = begun + 0.05
        self.clock += step.settle
        return played

    def _play(self, step: Step, number: int) -> Played:
        if step.admin:
            return self._purged(step)
        asked = self._asked(step, number)
        matched = self.edge.matcher.match(asked.method, asked.host, asked.path).route
        _refuse_loads(step, matched)
        every = step.upstream or [Script()]
        scripts = every[self._tried :] or every[-1:]
        behaviours = [_script(one, step, matched, self._tried + number) for number, one in enumerate(scripts)]
        exchange = self.edge.exchange(asked, behaviours)
        seen = [_seen(arrived, self._tried + n, step, matched) for n, arrived in enumerate(exchange.arrived)]
        self._tried += len(seen)
        return Played(_response(exchange, scripts), seen, exchange.seconds)

    def _purged(self, step: Step) -> Played:
        found = PURGE.fullmatch(step.target)
        if found is None or step.method != "POST":
            raise InexpressibleError("the admin listener")
        status = 204 if self.edge.purge(found[1], found[2]) else 404
        return Played(Response(status, [], b"", complete=True), [], 0.0)

    def _asked(self, step: Step, number: int) -> Asked:
        target = fill(step.target, number)
        if not target.startswith("/") or "#" in target:
            raise InexpressibleError("a target that is no path")
        headers = (("Accept", "*/*"), *((name, fill(value, number)) for name, value in step.headers))
        return Asked(
            self.clock, step.method, step.host or "", target, headers, fill(step.source, number),
            len(step.body.content), tuple(self._verifier.credentials(headers)), step.tls is not None,
        )  # fmt: skip


def _refuse(step: Step) -> None:
    """What the model has no words for. Its parts of a step, such as the engine's own headers, are left out below."""
    expect = step.expect
    facts = {
        "the messages of a WebSocket": step.websocket is not None,
        "a client that leaves": step.abandon is not None,
        "active health checks": bool(step.health),
        "a slow client": step.slowly is not None,
        "a TLS handshake": bool(step.tls and (step.tls.off or expect.alpn or isinstance(expect.tls, str))),
        "what an HTTP parser judges": (step.parser and not step.admin)
        or step.version != "HTTP/1.1"
        or bool(step.padding or step.stretch),
        "a request without a host": step.host is None,
        "gRPC": any("application/grpc" in value for _, value in step.headers),
    }
    if reason := next((reason for reason, holds in facts.items() if holds), None):
        raise InexpressibleError(reason)


def _refuse_loads(step: Step, matched: MethodRoute | None) -> None:
    failing = any(script.fail or script.status >= 500 for script in step.upstream)
    if matched is not None and failing and step.parallel > 1 and matched.route.retries.budget is not None:
        raise InexpressibleError("the share of retries in a load")


def _script(script: Script, step: Step, matched: MethodRoute | None, attempt: int) -> wire.Script:
    """What the endpoint that is asked does."""
    ports = [one.address.port for one in matched.service.upstream.endpoints] if matched else []
    hosts = [one.address.host for one in matched.service.upstream.endpoints] if matched else []
    if any(not host[-1].isdigit() for host in hosts):
        raise InexpressibleError("a name server")
    if any(port in _TLS for port in ports):
        raise InexpressibleError("a TLS handshake")
    if len({_DEAD.get(port, "") for port in ports}) > 1 or (len(ports) > 1 and _tells_instances(step.expect)):
        raise InexpressibleError("which of several endpoints is asked")
    if len(ports) > 1 and (script.fail or script.status >= 500 or ports[0] in _DEAD):
        raise InexpressibleError("which of several endpoints is asked")
    dead = _DEAD.get(ports[0], "") if ports else ""
    pieces = script.events or script.chunks or 1
    whole = script.delay + script.every * (pieces - 1)
    kind = "text/event-stream" if script.events else script.type
    headers = (("Content-Type", kind), ("X-Instance", _INSTANCES.get(ports[0], "A") if ports else "A"), *script.headers)
    fail = _FAILURES.get(script.fail or "", "")
    body = partial(_content, script, step, attempt)
    return wire.Script(
        script.status, script.delay, whole, script.every if pieces > 1 else 0.0, headers, body, dead or fail,  # type: ignore[arg-type]
    )  # fmt: skip


def _tells_instances(expect: Expectation) -> bool:
    upstream = expect.upstream
    return bool((expect.tally and expect.tally.instance) or (upstream and upstream.instance))


def _content(script: Script, step: Step, attempt: int, arrived: Arrived) -> bytes:
    if script.framed:
        count = script.events or script.chunks or 0
        texts = (f"data: event {n}\n\n" if script.events else f"chunk {n}\n" for n in range(count))
        return "".join(texts).encode()
    return _body(script, _arrived(arrived, attempt, step, "A"))


def _seen(arrived: Arrived, attempt: int, step: Step, matched: MethodRoute | None) -> Seen:
    port = matched.service.upstream.endpoints[0].address.port if matched else 0
    return _arrived(arrived, attempt, step, _INSTANCES.get(port, "A"))


def _arrived(arrived: Arrived, attempt: int, step: Step, instance: str) -> Seen:
    body = step.body.content[: arrived.body]
    return Seen(instance, attempt, arrived.method, arrived.target, "HTTP/1.1", arrived.headers, body, arrived.time)


def _response(exchange: Exchange, scripts: Sequence[Script]) -> Response:
    script = scripts[min(len(exchange.arrived), len(scripts)) - 1]
    body = exchange.body
    pieces: list[tuple[float, int]] = [(exchange.seconds, len(body))]
    if script.framed and exchange.arrived:
        pieces = _pieces(script, body, exchange)
        body = body[: pieces[-1][1]] if exchange.cut and pieces else body
    elif exchange.cut:
        body = body[: len(body) // 2]
    first = pieces[0][0] if pieces else exchange.seconds
    response = Response(exchange.status, list(exchange.headers), body, not exchange.cut, first, exchange.seconds)
    response.arrivals = pieces
    return response


def _pieces(script: Script, body: bytes, exchange: Exchange) -> list[tuple[float, int]]:
    """When each piece of the body came, and how long the body was with it; those after a cut never came."""
    begun = max(0.0, exchange.seconds - _lasted(script)) if not exchange.cut else script.delay
    texts = re.findall(rb"data: event \d+\n\n|chunk \d+\n", body)
    found, length = [], 0
    for number, text in enumerate(texts):
        at = begun + number * script.every
        if exchange.cut and script.fail is None and at >= exchange.seconds:
            break
        length += len(text)
        found.append((at, length))
    return found


def _lasted(script: Script) -> float:
    return script.every * ((script.events or script.chunks or 1) - 1)


def gateway_of(scenario: Scenario) -> Gateway:
    """Raises InexpressibleError for a policy that is to be refused."""
    gateway, report = compile_policies(scenario, Choice("envoy", "default"), DUMMIES)
    if gateway is None:
        raise InexpressibleError(
            "policies that are not valid: " + "; ".join(d.message for d in report.diagnostics)[:200]
        )
    return gateway


def faults(case: Case, scenario: Scenario, gateway: Gateway) -> Iterator[str]:
    """Where the model parts from what a case expects, by the judge of the live gateways. Raises InexpressibleError."""
    stage = Stage(gateway, scenario)
    names = judge.Names(gateway.request_id.header, gateway.identity.user_header, gateway.error_type_base)
    for number, written in enumerate(case.steps, 1):
        step = _of_the_model(written.of_case(f"case-{'0' * 12}"))
        played = stage.play(step)
        seen = [one for each in played for one in each.seen]
        outcome = judge.Outcome([one.response for one in played], seen, _peak(seen, played))
        with patch.object(judge.time, "time", lambda: stage.clock):
            found = shortened(list(judge.faults(step, outcome, names)))
        yield from (f"step {number} ({step.request}): {fault}" for fault in found)


def _peak(seen: Sequence[Seen], played: Sequence[Played]) -> int:
    """The most requests that the service had in flight at once."""
    spans = [(one.at, one.at + each.took) for each in played for one in each.seen[-1:]]
    return max((sum(begun <= at < max(end, begun + 1e-6) for begun, end in spans) for at, _ in spans), default=0)


def _of_the_model(step: Step) -> Step:
    """Without what it says of headers that are the engine's own business."""
    expect = step.expect.model_copy(update={"headers": _told(step.expect.headers, UNTOLD)})
    if expect.upstream is not None:
        headers = _told(expect.upstream.headers, UNTOLD_INSIDE)
        expect = expect.model_copy(update={"upstream": expect.upstream.model_copy(update={"headers": headers})})
    if step.admin:
        step = step.model_copy(update={"parser": True})
    return step.model_copy(update={"expect": expect})


def _told(headers: dict[str, judge.Expected], untold: frozenset[str]) -> dict[str, judge.Expected]:
    return {name: wanted for name, wanted in headers.items() if name.lower() not in untold}
