"""All that the story needs, running: the gateway with the policies, the service, its model, a collector of traces."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from accept import NOW
from conformance.tokens import key_set, token
from gwc.compile import compile_sources
from gwc.diagnostics import Report
from gwc.features import FEATURES
from gwc.ir import Gateway, Route, Service
from gwc.observability.tracing import REQUEST_ID
from gwc.source import read_policies
from gwc.support import Fidelity
from gwc.target import Binary, Engine, Target, profile_of
from otlp_collector import Collector, Span
from ports import free_port
from storyline.models import Model, switched_on

REPOSITORY = Path(__file__).parents[2]
ENVIRONMENT = "story"
HOST, BASE = "api.example.com", "/assistant"
SECRETS = ("GATEWAY_SECRET", "KEY_MOBILE", "KEY_BILLING", "REDIS_PASSWORD")
UNITS = "160/hour"
"""A budget that somebody can spend while others watch."""
CACHE_TTL = 5.0
BREAKER_OPEN = 2.0
TOLD = {
    "PROBLEM_TYPE": "https://errors.example.com/",
    "EMBEDDER": "lexical",
    "CONTEXT_PASSAGES": "4",
    "LLM_OUTPUT_TOKENS": "200",
    "LLM_FIRST_TOKEN": "40",
    "UNIT_USD": "0.000001",
    "CACHE_TTL": str(CACHE_TTL),
    "BREAKER_WINDOW": "5",
    "BREAKER_CALLS": "3",
    "BREAKER_OPEN": str(BREAKER_OPEN),
    "BREAKER_PROBES": "1",
    "BREAKER_SLOW_AFTER": "40",
    "DRAIN_DELAY": "0",
}
"""The service's settings where they are not its defaults: what takes minutes in production takes seconds here."""
_READY_WITHIN = 60.0  # seconds
_FIRST_ANSWER_WITHIN = 30.0


@dataclass(frozen=True)
class Stage:
    """`edge` is what clients reach. `backstage` goes to the service itself with the gateway's secret, as the platform
    does for its metrics. `gateway` is what the policies resolve to, to hold answers against."""

    target: Target
    gateway: Gateway
    edge: httpx.Client
    backstage: httpx.Client
    model: Model
    collector: Collector

    @property
    def assistant(self) -> Service:
        return next(service for service in self.gateway.services if service.name == "assistant")

    def route(self, name: str) -> Route:
        return next(route for route in self.assistant.routes if route.name == name)

    def keeps(self, feature: str) -> bool:
        """Whether the gateway does what the policies say of it at all."""
        table = self.target.support(profile_of(self.target, self.gateway))
        uses = FEATURES[feature].uses(self.gateway)
        return all(table.of(feature, self.gateway, use).fidelity is not Fidelity.UNSUPPORTED for use in uses)

    def ask(self, user: str, question: str, **more: Any) -> httpx.Response:
        body = {"question": question, **more}
        return self.edge.post(f"{BASE}/v1/ask", json=body, headers=self.bearer(user))

    def bearer(self, user: str, audience: str = "assistant") -> dict[str, str]:
        issuer = self.gateway.identity.jwt[0].issuer
        return {"Authorization": f"Bearer {token(f'{user},iss={issuer},aud={audience}')}"}

    def metric(self, line: str) -> float:
        """The value of one line of the service's metrics; 0 where it is not there yet."""
        text = self.backstage.get("/metrics").text
        values = [float(one.rpartition(" ")[2]) for one in text.splitlines() if one.startswith(f"{line} ")]
        return values[0] if values else 0.0

    def trace(self, request_id: str) -> list[Span]:
        """All spans of the request's trace. A server's span ends last: when both are there, nothing is missing."""

        def found() -> list[Span]:
            every = list(self.collector.spans)
            traces = {span.trace for span in every if span.attributes.get(REQUEST_ID) == request_id}
            return [span for span in every if span.trace in traces]

        self.collector.wait(lambda: sum(span.kind == "SERVER" for span in found()) >= 2)
        return found()


@contextmanager
def stage(target: Target, engine: Engine, model: Model, directory: Path) -> Iterator[Stage]:
    """Starts all of it below `directory`. Raises EngineMissingError or RuntimeError."""
    given = {name: secrets.token_hex(16) for name in SECRETS}
    with Collector() as collector:
        service, listen = free_port(), free_port()
        gateway = compiled(
            directory, target, {"collector": collector.port, "service": service, "listen": listen}, given
        )
        binary, build = engine.find(profile_of(target, gateway)), directory / "build" / target.name
        with (
            switched_on(model),
            running_service(directory, service, model, collector.port, given["GATEWAY_SECRET"]) as backstage,
            running_gateway(engine, binary, build, given),
            httpx.Client(base_url=f"http://127.0.0.1:{listen}", headers={"Host": HOST}, **_CLIENT) as edge,
        ):
            until_answered(edge)
            yield Stage(target, gateway, edge, backstage, model, collector)


_CLIENT: dict[str, Any] = {"timeout": 60, "trust_env": False}


def compiled(directory: Path, target: Target, ports: Mapping[str, int], given: Mapping[str, str]) -> Gateway:
    """`gwc compile` as anybody would run it, for an environment that is this machine."""
    policies = directory / "policies"
    shutil.copytree(REPOSITORY / "policies", policies)
    (policies / "keys/jwks.json").write_text(json.dumps(key_set("one")), encoding="utf-8")
    for file in policies.glob("*.yaml"):
        add_environment(file, ports)
    command = ["compile", "-t", target.name, "--env", ENVIRONMENT, "--with-secrets", "--now", str(NOW)]
    gwc(*command, "-o", str(directory / "build"), "--policies", str(policies), given=given)
    report = Report()
    found = compile_sources(read_policies(str(policies), report), environment=ENVIRONMENT, now=NOW, report=report)
    assert found is not None, "gwc compile has just accepted them"
    return found


def add_environment(file: Path, ports: Mapping[str, int]) -> None:
    """What is another way on this machine, written into the copy of a policy as a team would write it."""
    text = file.read_text(encoding="utf-8")
    over = json.dumps(overrides(yaml.safe_load(text), ports))
    assert text.count("\nenvironments:\n") == 1, f"{file.name} has no environments"
    file.write_text(text.replace("\nenvironments:\n", f"\nenvironments:\n  {ENVIRONMENT}: {over}\n"), encoding="utf-8")


def overrides(policy: Mapping[str, Any], ports: Mapping[str, int]) -> dict[str, Any]:
    """Addresses, and for the sake of who watches: every trace, and a budget that runs out."""
    if policy["kind"] == "Platform":
        listen = {"http": f"127.0.0.1:{ports['listen']}", "admin": f"127.0.0.1:{free_port()}"}
        return {"listen": listen, "tracing": {"otlp": f"http://127.0.0.1:{ports['collector']}", "sample": "100%"}}
    if policy["service"] == "assistant":
        return {"upstream": _upstream(ports["service"]), "budget": {"units": UNITS}}
    nobody = free_port()  # the other services are not in this story
    return {"upstream": f"http://127.0.0.1:{nobody}" if isinstance(policy["upstream"], str) else _upstream(nobody)}


def _upstream(port: int) -> dict[str, Any]:
    return {"endpoints": [{"url": f"http://127.0.0.1:{port}"}]}


def gwc(*arguments: str, given: Mapping[str, str]) -> None:
    """Prints and runs it. Raises RuntimeError where it fails, after it has said why."""
    print("$ gwc", *arguments, flush=True)
    environment = {**os.environ, **given}
    if subprocess.run([sys.executable, "-m", "gwc", *arguments], env=environment, check=False).returncode:
        raise RuntimeError("gwc compile failed")


@contextmanager
def running_service(directory: Path, port: int, model: Model, collector: int, secret: str) -> Iterator[httpx.Client]:
    """The service as it is deployed, a process of its own; its client is the platform's."""
    (directory / "prices.yaml").write_text(_PRICES.format(model.name), encoding="utf-8")
    told = TOLD | {
        "GATEWAY_SECRET": secret,
        "PORT": str(port),
        "DATA_DIR": str(directory / "service"),
        "LLM_URL": model.url,
        "LLM_MODEL": model.name,
        "PRICES": str(directory / "prices.yaml"),
        "OTLP_TRACES": f"http://127.0.0.1:{collector}/v1/traces",
    }
    environment = {**os.environ, **{f"GWC_ASSISTANT_{name}": value for name, value in told.items()}}
    with (directory / "service.log").open("w") as log:
        process = subprocess.Popen([sys.executable, "-m", "gwc_assistant"], env=environment, stderr=log)
    try:
        with httpx.Client(
            base_url=f"http://127.0.0.1:{port}", headers={"X-Gateway-Secret": secret}, **_CLIENT
        ) as backstage:
            until_ready(process, backstage, directory / "service.log")
            yield backstage
    finally:
        process.terminate()
        process.wait(timeout=90)


_PRICES = 'models: {{{}: {{input_per_million: "0.1", output_per_million: "0.4"}}}}\n'


def until_ready(process: subprocess.Popen[bytes], backstage: httpx.Client, log: Path) -> None:
    until = time.monotonic() + _READY_WITHIN
    while time.monotonic() < until and process.poll() is None:
        try:
            if backstage.get("/readyz").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise RuntimeError(f"the service is not ready: {log.read_text(encoding='utf-8')[-2000:]}")


@contextmanager
def running_gateway(engine: Engine, binary: Binary, directory: Path, given: Mapping[str, str]) -> Iterator[None]:
    running = engine.launch(binary, directory, given)
    try:
        yield
    finally:
        running.stop()


def until_answered(edge: httpx.Client) -> None:
    """A gateway may listen before it has seen the service's health."""
    until = time.monotonic() + _FIRST_ANSWER_WITHIN
    while edge.get(f"{BASE}/v1/prompts").status_code != 200:
        if time.monotonic() > until:
            raise RuntimeError("the gateway does not find the service")
        time.sleep(0.2)
