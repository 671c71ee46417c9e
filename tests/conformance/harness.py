"""From a scenario file to a running gateway, and from a case to what happened."""

from __future__ import annotations

import contextlib
import json
import os
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

from conformance import scenario as scenarios
from conformance.client import Conversation, Request, Response, Slow, abandoned, converse, exchange, exchange_kept
from conformance.judge import Names, Outcome, faults
from conformance.pace import PACE
from conformance.scenario import Case, Scenario, Step
from conformance.script import KEY_HEADER, SCRIPT_HEADER, Script, encode
from conformance.tls import Tls
from conformance.tokens import fill, read_public
from conformance.upstream import MARK, Upstream
from conformance.variants import Variant
from gwc.compile import compile_sources
from gwc.diagnostics import Report
from gwc.features import FEATURES
from gwc.ir import Gateway
from gwc.source import Source
from gwc.support import Fidelity, SupportTable
from gwc.target import Artifact, Running
from ports import free_port

Values = Mapping[str, int | str]
NOW = date(2026, 11, 23)
_SIDE_BY_SIDE = 8
_PLATFORM: dict[str, Any] = {
    "apiVersion": "gwc/v1",
    "kind": "Platform",
    "errors": {"type": "https://errors.example.com/"},
    "defaults": {"auth": "none"},
}
_SERVICE = {"apiVersion": "gwc/v1", "kind": "Service", "owner": "conformance"}


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` over `base`, maps merging."""
    both = {
        k: merged(base[k], v) if isinstance(base.get(k), dict) and isinstance(v, dict) else v for k, v in over.items()
    }
    return {**base, **both}


@dataclass(frozen=True, slots=True)
class Choice:
    """A target in a profile, and what is taken of it knowingly."""

    target: str
    profile: str
    accept: tuple[str, ...] = ()


def compile_policies(scenario: Scenario, choice: Choice, values: Values) -> tuple[Gateway | None, Report]:
    """The policies of `scenario` through the real front end. JSON is YAML: nothing is lost in writing it down."""
    listen = {name: f"127.0.0.1:{values[port]}" for name, port in (("http", "LISTEN"), ("admin", "ADMIN"))}
    options = {"listen": listen, "targets": {choice.target: {"profile": choice.profile, "accept": choice.accept}}}
    platform = merged(merged(_PLATFORM, options), scenario.platform)
    documents = {"platform": platform, **{s["service"]: {**_SERVICE, **s} for s in scenario.services}}
    report = Report()
    sources = tuple(Source(f"{name}.yaml", json.dumps(data, indent=1)) for name, data in documents.items())
    return compile_sources(sources, environment=None, now=NOW, report=report, read=read_public), report


def below_exact(gateway: Gateway, table: SupportTable) -> dict[str, Fidelity]:
    """What the table promises of the features that this Gateway uses, the lowest promise of each; exact left out."""
    found: dict[str, Fidelity] = {}
    for name, feature in FEATURES.items():
        promises = {table.of(name, gateway, use).fidelity for use in feature.uses(gateway)}
        for fidelity in (Fidelity.UNSUPPORTED, Fidelity.APPROXIMATE):
            if fidelity in promises:
                found.setdefault(name, fidelity)
    return found


def write(artifact: Artifact, directory: Path, environ: Mapping[str, str]) -> None:
    """What `compile --with-secrets` leaves behind."""
    for name, output in artifact.files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(output.text, encoding="utf-8")
        path.chmod(0o755 if output.executable else 0o644)
    for secret in artifact.secrets:
        path = directory / secret.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(secret.render(tuple(environ[reference.name] for reference in secret.secrets)), encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Service:
    """What stands behind the gateways: the scripted upstream, and the folder of its certificates."""

    upstream: Upstream
    pki: Path


@dataclass(slots=True)
class Launched:
    """A gateway that serves one scenario on one variant."""

    scenario: Scenario
    gateway: Gateway
    declared: Mapping[str, Fidelity]
    upstream: Upstream
    running: Running
    directory: Path
    start: Callable[[], Running]
    waited: dict[str, float] = field(default_factory=dict)
    """By case, the longest that somebody had to wait for a processor while it ran, in seconds."""
    _futures: dict[str, Future[list[str]]] = field(default_factory=dict)
    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(_SIDE_BY_SIDE))

    def stop(self) -> None:
        self._pool.shutdown(cancel_futures=True)
        self.running.stop()

    @property
    def address(self) -> tuple[str, int]:
        """Of the listener that every scenario has."""
        listener = self.gateway.listen.http
        assert listener is not None
        return listener.host, listener.port

    @property
    def admin(self) -> tuple[str, int]:
        return self.gateway.listen.admin.host, self.gateway.listen.admin.port

    def faults_of(self, variant: Variant, case: Case) -> list[str]:
        """Run the case, with the ports of this gateway. The cases of a scenario that says `together` all start when the
        first is asked for."""
        case = self._own(case)
        if not self.scenario.together:
            return self._run(variant, case)
        if not self._futures:
            self._futures = {
                other.name: self._pool.submit(self._run, variant, other)
                for other in self.scenario.cases
                if refused(other, self.declared) is None
            }
        return self._futures[case.name].result()

    def faults_alone(self, variant: Variant, case: Case) -> list[str]:
        """Run the case by itself, whatever its scenario says."""
        return self._run(variant, self._own(case))

    def _own(self, case: Case) -> Case:
        return next(own for own in self.scenario.cases if own.name == case.name)

    def _run(self, variant: Variant, case: Case) -> list[str]:
        began = PACE.now()
        found = self._run_once(variant, case)
        self.waited[case.name] = PACE.worst(began)
        return found

    def _run_once(self, variant: Variant, case: Case) -> list[str]:
        run = uuid.uuid4().hex
        steps = [step.of_case(f"case-{run[:12]}") for step in steps_of(case, variant)]
        with self.upstream.recorder.healthy(), ThreadPoolExecutor(len(steps)) as pool:
            found: list[Future[list[str]]] = []
            for number, step in enumerate(steps, 1):
                found.append(pool.submit(self._faults, step, f"{run}-{number}"))
                if not step.background:
                    wait(found[-1:])
        return [
            f"step {number} ({step.request}): {fault}"
            for number, (step, future) in enumerate(zip(steps, found, strict=True), 1)
            for fault in future.result()
        ]

    def _faults(self, step: Step, key: str) -> list[str]:
        pause(step)
        if step.restart:
            self.running.stop()
            self.running = self.start()
        self.upstream.recorder.health.update(step.health)
        if mark := MARK.search(step.target):
            self.upstream.recorder.mark(mark[0], key, step.upstream or [Script()])
        names = self._names()
        try:
            responses = self._responses(step, key)
        except TimeoutError as late:
            return [f"no end of the answer: {late}"]
        time.sleep(step.settle)
        recorder = self.upstream.recorder
        return shortened(list(faults(step, Outcome(responses, recorder.seen(key), recorder.peak(key)), names)))

    def _names(self) -> Names:
        """A listener below exact is one that cannot leave out its engine's name."""
        gateway, shown = self.gateway, frozenset({"server"} if "listen.http" in self.declared else ())
        return Names(gateway.request_id.header, gateway.identity.user_header, gateway.error_type_base, shown)

    def _responses(self, step: Step, key: str) -> list[Response]:
        if step.kept:
            requests = [self._request(step, key, number) for number in range(step.repeat)]
            return exchange_kept(self._address(step), requests)
        with ThreadPoolExecutor(step.parallel) as pool:
            return list(pool.map(lambda number: self.ask(step, key, number), range(step.repeat)))

    def _address(self, step: Step) -> tuple[str, int]:
        if step.tls is None:
            return self.admin if step.admin else self.address
        https = self.gateway.listen.https
        assert https is not None
        return https.address.host, https.address.port

    def _request(self, step: Step, key: str, number: int) -> Request:
        """The authority that a client over TLS trusts lies beside the gateway's certificate."""
        request, https = request_of(step, key, number), self.gateway.listen.https
        if step.tls is None or https is None:
            return request
        offer = step.tls.model_dump(exclude={"alpn"})
        tls = Tls(Path(https.certificate).parent / "ca.pem", alpn=tuple(step.tls.alpn), **offer)
        return replace(request, tls=tls)

    def ask(self, step: Step, key: str, number: int = 0) -> Response:
        """One request of the step."""
        request, address = self._request(step, key, number), self._address(step)
        if step.abandon is not None:
            return abandoned(address, request, step.abandon)
        if step.websocket is None:
            return exchange(address, request)
        return converse(address, request, Conversation(tuple(step.websocket), step.pause))


def shortened(found: list[str]) -> list[str]:
    """The first and the last: a step of a thousand requests can have a thousand faults, and its tally comes last."""
    return found if len(found) <= 8 else [*found[:4], f"({len(found) - 8} more)", *found[-4:]]


def pause(step: Step) -> None:
    """The step's delay, and then to the next moment of the clock that its `align` divides: windows begin there."""
    time.sleep(step.delay)
    if step.align:
        time.sleep(step.align - time.time() % step.align + 0.02)


def request_of(step: Step, key: str, number: int = 0) -> Request:
    script = [(SCRIPT_HEADER, encode(step.upstream))] if step.upstream else []
    host = [("Host", step.host)] if step.host is not None else []
    padding = [("X-Padding", "p" * step.padding)] if step.padding else []
    filled = [(name, fill(value, number)) for name, value in step.headers]
    headers = (*host, ("Accept", "*/*"), (KEY_HEADER, key), *script, *filled, *padding)
    target, source = fill(step.target, number) + "s" * step.stretch, fill(step.source, number)
    slow = None if step.slowly is None else Slow(step.slowly.part, step.slowly.every)
    body = step.body
    return Request(step.method, target, headers, body.content, body.chunked, step.version, source, slow=slow)


def steps_of(case: Case, variant: Variant) -> list[Step]:
    deviation = deviation_of(case, variant)
    return case.steps if deviation is None else deviation.steps


def deviation_of(case: Case, variant: Variant) -> scenarios.Deviation | None:
    return case.deviations.get(variant.promise) or case.deviations.get(variant.target.name)


def refused(case: Case, declared: Mapping[str, Fidelity]) -> str | None:
    """The first feature of the case that the target cannot express at all. GWC_CONFORMANCE_ANYWAY runs it anyway:
    for the author of a target who wants to see what could be promised."""
    if "GWC_CONFORMANCE_ANYWAY" in os.environ:
        return None
    features = (*case.proves, *case.needs)
    return next((name for name in features if declared.get(name) is Fidelity.UNSUPPORTED), None)


@contextlib.contextmanager
def launched(
    path: Path,
    variant: Variant,
    service: Service,
    directory: Path,
    further: Values | None = None,
    change: Callable[[Artifact], Artifact] | None = None,
) -> Iterator[Launched]:
    """Compile, write, start; everything below exact is taken knowingly, and `declared` says what it is.

    `further`: values of placeholders that only this scenario has. `change`: what a test wants otherwise in the output.
    """
    ports = {name: free_port() for name in ("LISTEN", "ADMIN", "HTTPS")}
    values: Values = {**ports, "PKI": str(service.pki), **service.upstream.ports, **(further or {})}
    scenario = scenarios.load(path, values)
    gateway, declared = accepted_gateway(scenario, variant, values)
    artifact = variant.target.emit(gateway, variant.profile)
    assert variant.target.judge(artifact) == ()
    write(change(artifact) if change else artifact, directory, scenario.secrets)
    start = partial(variant.engine.launch, variant.engine.find(variant.profile), directory, scenario.secrets)
    gateway_process = Launched(scenario, gateway, declared, service.upstream, start(), directory, start)
    try:
        yield gateway_process
    finally:
        gateway_process.stop()


def accepted_gateway(scenario: Scenario, variant: Variant, values: Values) -> tuple[Gateway, Mapping[str, Fidelity]]:
    """The Gateway with everything accepted that the target cannot do exactly, and what that is."""
    choice = Choice(variant.target.name, variant.profile)
    gateway = _compiled(scenario, choice, values)
    declared = below_exact(gateway, variant.target.support(variant.profile))
    return _compiled(scenario, replace(choice, accept=tuple(sorted(declared))), values), declared


def _compiled(scenario: Scenario, choice: Choice, values: Values) -> Gateway:
    gateway, report = compile_policies(scenario, choice, values)
    assert gateway is not None, [f"{d.span} {d.code} {d.message}" for d in report.diagnostics]
    return gateway
