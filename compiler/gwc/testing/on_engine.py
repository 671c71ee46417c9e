"""Tests on a real gateway: compiled, started on loopback, asked for real, and held against the model as well."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gwc.ir import Gateway
from gwc.target import Artifact, Binary, Running, Target
from gwc.testing.client import Response, send
from gwc.testing.language import User
from gwc.testing.plan import Ask, PlannedStep, PlannedTest, needed_scopes
from gwc.testing.seen import Received, Seen, SeenStep
from gwc.testing.service import Desk, TestService
from gwc.testing.stage import Clients, Ports, Props, free_ports, staged, write

LATENESS = 0.05
"""Seconds that a step with a time of its own comes later than it says: a gateway's clock begins when the first request
has arrived, and not before."""
PATIENCE = 30.0
"""Seconds that an answer may take beyond the bound of a test: then the connection counts as one without an answer."""
GRACE = 0.5
"""Seconds for the last lines of the log."""
SETTLING = 0.25
"""Seconds after each failure of a service: a gateway opens a breaker in a thread of its own, and then tells its others
(Envoy's main thread; measured: some milliseconds, more on a busy machine)."""
_ENDS = frozenset({"circuit-open", "overloaded"})
"""Refusals of the gateway's own: no breaker counts them."""
_AT_ONCE = 1024


@dataclass(frozen=True, slots=True)
class Engine:
    """A target with its binary, and what every run on it shares."""

    target: Target
    profile: str
    binary: Binary
    gateway: Gateway
    props: Props

    def artifact(self, ports: Ports, clients: Clients) -> tuple[Gateway, Artifact]:
        gateway = staged(self.gateway, self.props, ports, clients)
        return gateway, self.target.emit(gateway, self.profile)


@dataclass(slots=True)
class Happened:
    """What a test came to: its steps, and when it began, in seconds since 1970."""

    started: float
    steps: list[SeenStep] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Pace:
    """A test begins when the clock is a multiple of `align` seconds, if that is not 0, and takes `most` seconds."""

    align: float
    most: float


def run_steps(engine: Engine, test: PlannedTest, steps: Sequence[PlannedStep], pace: Pace) -> Happened:
    """The steps of a test before a gateway of its own. Raises OSError where a client's address cannot be had,
    RuntimeError where the gateway does not start.
    """
    clients, desk = Clients.of(test), Desk(engine.gateway.request_id.header)
    with ExitStack() as stack:
        services = {one.name: TestService(desk) for one in engine.gateway.services}
        for service in services.values():
            stack.callback(service.close)
        listen, admin = free_ports(2)
        ports = Ports(listen, admin, {name: service.port for name, service in services.items()})
        _, artifact = engine.artifact(ports, clients)
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gwc-test-")))
        write(artifact, directory, engine.props.environ)
        running = engine.target.engine.launch(engine.binary, directory, engine.props.environ)
        stack.callback(running.stop)
        player = _Player(engine, desk, clients, ("127.0.0.1", listen), pace)
        happened = player.play(steps)
        _let_log(running, player)
        _close(running, services)
    _told(happened, player, running)
    return happened


def _let_log(running: Running, player: _Player) -> None:
    """A request is logged after its answer was sent: a moment for the last ones. Envoy keeps its until it ends."""
    deadline = time.monotonic() + GRACE
    while time.monotonic() < deadline and not _lines(running.output()).keys() >= {name for name, _ in player.ids}:
        time.sleep(0.05)


def _close(running: Running, services: Mapping[str, TestService]) -> None:
    """The log is whole when the gateway has ended."""
    running.stop()
    for service in services.values():
        service.close()


@dataclass(slots=True)
class _Player:
    """Sends the requests of a test in time. `ids` leads from an answer to the line of the log that is about it."""

    engine: Engine
    desk: Desk
    clients: Clients
    address: tuple[str, int]
    pace: Pace
    ids: list[tuple[str, Seen]] = field(default_factory=list)
    _began: float = 0.0

    def play(self, steps: Sequence[PlannedStep]) -> Happened:
        if align := self.pace.align:
            time.sleep(align - time.time() % align + LATENESS)
        self._began = time.monotonic()
        happened = Happened(time.time())
        with ThreadPoolExecutor(len(steps)) as pool:
            futures: list[Future[SeenStep]] = []
            for step in steps:
                self._wait(step, futures)
                self.desk.begin(step.number, step.answers)
                futures.append(pool.submit(self._step, step))
                time.sleep(0.01)  # its request is there before the answers of the next step count
            happened.steps = [future.result() for future in futures]
        return happened

    def _wait(self, step: PlannedStep, before: list[Future[SeenStep]]) -> None:
        if step.at is None:
            wait(before)
            time.sleep(step.wait + (LATENESS if step.wait else 0))
        elif step.at:
            time.sleep(max(0.0, self._began + step.at + LATENESS - time.monotonic()))

    def _step(self, step: PlannedStep) -> SeenStep:
        if not step.at_once:
            return SeenStep(step.number, [self._settled(ask) for ask in step.asks])
        with ThreadPoolExecutor(min(_AT_ONCE, len(step.asks))) as pool:
            return SeenStep(step.number, list(pool.map(self._settled, step.asks)))

    def _settled(self, ask: Ask) -> Seen:
        """What was seen, and whatever it changed for the next request has been changed."""
        seen = self._ask(ask)
        if seen.status >= 500 and seen.problem not in _ENDS:
            time.sleep(SETTLING)
        return seen

    def _ask(self, ask: Ask) -> Seen:
        mapped, source = self._mapped(ask), self.clients.here(ask.client)
        begun = time.monotonic() - self._began
        try:
            response = send(self.address, mapped, source, self._proof(ask), self.pace.most + PATIENCE)
        except (TimeoutError, ConnectionError):
            response = Response(0)
        seen = Seen(response.status, response.headers, response.body, self._problem(response), begun=begun)
        seen.took = time.monotonic() - self._began - begun
        seen.service = seen.route = None
        self.ids.append((next(iter(seen.values(self.engine.gateway.request_id.header)), ""), seen))
        return seen

    def _mapped(self, ask: Ask) -> Ask:
        """With the addresses of this machine in what it says of others."""
        headers = tuple(
            (name, self.clients.chain(value) if name.lower() == "x-forwarded-for" else value)
            for name, value in ask.headers
        )
        return Ask(ask.method, ask.target, ask.host, ask.client, headers, ask.body, None, None, ask.https)

    def _proof(self, ask: Ask) -> Iterator[tuple[str, str]]:
        identity = self.engine.gateway.identity
        if ask.user is not None:
            yield "Authorization", f"Bearer {self._token(ask, ask.user)}"
        if ask.api_key is not None and identity.api_key is not None:
            consumer = next(one for one in identity.api_key.consumers if one.name == ask.api_key)
            yield identity.api_key.header, self.engine.props.value(consumer.secret)

    def _token(self, ask: Ask, user: User) -> str:
        issuers = self.engine.props.issuers
        issuer = issuers[user.issuer or self.engine.gateway.identity.jwt[0].issuer]
        return issuer.token(user, needed_scopes(self.engine.gateway, ask))

    def _problem(self, response: Response) -> str:
        """The type of the gateway's own document, and of no service's."""
        kind = next((value for name, value in response.headers if name.lower() == "content-type"), "")
        base = self.engine.gateway.error_type_base
        if not kind.startswith("application/problem+json"):
            return ""
        try:
            told = json.loads(response.body).get("type", "")
        except (ValueError, AttributeError):
            return ""
        return told.removeprefix(base) if isinstance(told, str) and told.startswith(base) else ""


def _told(happened: Happened, player: _Player, running: Running) -> None:
    """Adds to each answer what the log says of it, and what the service received."""
    lines = _lines(running.output())
    for request_id, seen in player.ids:
        seen.received = [_as_written(one, player.clients) for one in player.desk.received(request_id)]
        if (line := lines.get(request_id)) is not None:
            seen.service, seen.route = str(line.get("service", "")), str(line.get("route", ""))
            seen.limited_by = str(line.get("limited_by", ""))
            seen.problem = seen.problem or str(line.get("problem", ""))
            seen.shadowed_by = tuple(map(str, line.get("shadowed_by", ())))
    for step in happened.steps:
        if step.seen:
            step.seen[-1].received += [_as_written(one, player.clients) for one in player.desk.behind(step.number)]


def _lines(output: str) -> dict[str, Mapping[str, Any]]:
    """The access log by request id."""
    found: dict[str, Mapping[str, Any]] = {}
    for text in output.splitlines():
        try:
            line = json.loads(text) if text.startswith("{") else None
        except ValueError:
            continue  # an engine's own words between the lines of the log
        if isinstance(line, dict) and line.get("request_id"):
            found[str(line["request_id"])] = line
    return found


def _as_written(received: Received, clients: Clients) -> Received:
    """With the addresses that the test wrote."""
    headers = tuple(
        (name, clients.shown(value) if name.lower() in ("x-forwarded-for", "x-real-ip") else value)
        for name, value in received.headers
    )
    return Received(received.method, received.target, headers)
