"""Policy tests on the real gateways: they agree with the model, and where they would not, that is said."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from compiling import POLICIES, gateway_of
from gwc.cli.job import Job
from gwc.discovery import load_targets
from gwc.ir import Gateway
from gwc.source import Source
from gwc.target import Artifact, EngineMissingError, Target, profile_of
from gwc.testing.agreeing import Bound, Comparison
from gwc.testing.load import load_tests
from gwc.testing.on_engine import Engine
from gwc.testing.plan import planned
from gwc.testing.stage import props
from gwc.testing.verdicts import State, Verdict
from testing.trying import HEAD, PASSING, PLATFORM, SHOP, gwc, project

pytestmark = pytest.mark.live
ENGINES = ("envoy", "nginx", "kong")


def found(name: str) -> tuple[Target, str]:
    target = load_targets([name])[0].target
    try:
        target.engine.find(target.profiles[0])
    except EngineMissingError as missing:
        pytest.skip(str(missing))
    return target, target.profiles[0]


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_the_examples_hold_on_the_real_gateway(engine: str) -> None:
    found(engine)
    done = gwc(POLICIES.parent, "--engine", engine, "--max-wait", "12s")
    assert done.returncode == 0, done.stdout
    assert f"{engine}: " in done.stdout


@dataclass(frozen=True)
class Other:
    """A target that makes something else of the policies."""

    target: Target
    change: Callable[[Gateway], Gateway]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.target, name)

    def emit(self, gateway: Gateway, profile: str) -> Artifact:
        return self.target.emit(self.change(gateway), profile)


def verdict(
    engine: str,
    text: str,
    change: Callable[[Gateway], Gateway] = lambda gateway: gateway,
    wait: float = 30.0,
    platform: Mapping[str, Any] = PLATFORM,
    shop: Mapping[str, Any] = SHOP,
) -> Verdict:
    """Of the first test of `text`, on an engine that runs what `change` makes of the policies."""
    job = Job("test")
    gateway = gateway_of({"platform": platform, "shop": shop})
    target, _ = found(engine)
    profile = profile_of(target, gateway)
    (loaded,) = load_tests([Source("shop.yaml", text)], job.report)
    test = next(planned(loaded, gateway))
    binary = target.engine.find(profile)
    made = Engine(Other(target, change), profile, binary, gateway, props(gateway))  # type: ignore[arg-type]
    return Comparison(made, target.support(profile), test, Bound(wait)).run()


def unlimited(gateway: Gateway) -> Gateway:
    services = (replace(s, routes=tuple(replace(r, limits=()) for r in s.routes)) for s in gateway.services)
    return replace(gateway, services=tuple(services))


def public(gateway: Gateway) -> Gateway:
    services = (replace(s, routes=tuple(replace(r, auth=None) for r in s.routes)) for s in unlimited(gateway).services)
    return replace(gateway, services=tuple(services))


@pytest.mark.parametrize("engine", ENGINES)
def test_an_engine_that_agrees(engine: str) -> None:
    done = verdict(engine, PASSING, wait=5.0)
    assert done.state is State.PARTLY
    (only,) = done.found
    assert "step 3" in only.message
    assert "ends 61 s after the test begins" in only.message
    assert "--max-wait 62s" in only.hint


BUSY: dict[str, Any] = {
    **SHOP,
    "budget": {"per": "user", "units": "20/hour"},
    "max_body": "1KiB",
    "routes": [
        {"name": "slow", "path": "/slow", "methods": ["GET"]},
        {"name": "dear", "path": "/dear", "methods": ["POST"], "auth": {"any_of": ["jwt"]}, "cost": 10},
        {
            "name": "rare", "path": "/rare", "methods": ["POST"],
            "limits": [{"per": "service", "rate": "1/hour", "burst": 1}],
        },
    ],
}  # fmt: skip
LAST = (
    f"{HEAD}user: ann\n"
    """tests:
  - name: what is too large or too much has passed all other checks
    steps:
      - {request: GET /slow, at: 0s, answer: {delay: 3s}, expect: {status: 200}}
      - {request: POST /dear, at: 1s, user: none, body: {size: 2KiB}, expect: {status: 401}}
      - {request: POST /dear, at: 1s, body: {size: 2KiB}, expect: {status: 413}}
      - {request: POST /dear, at: 1500ms, expect: {status: 503, limited_by: concurrency}}
      - {request: POST /dear, at: 2s, body: {size: 2KiB}, expect: {status: 429, limited_by: budget}}
      - {request: POST /rare, at: 2s, body: {size: 2KiB}, expect: {status: 413}}
      - {request: POST /rare, at: 2500ms, expect: {status: 429}}
"""
)


@pytest.mark.parametrize("engine", ENGINES[:2])
def test_size_and_caps_are_checked_last(engine: str) -> None:
    """And the units are taken by then: docs/policy.md says so of these two."""
    done = verdict(engine, LAST, platform={**PLATFORM, "concurrency": 1}, shop=BUSY)
    assert done.state is State.PASSED, done.found


@pytest.mark.parametrize("engine", ENGINES[:2])
def test_a_disagreement_is_one(engine: str) -> None:
    done = verdict(engine, PASSING, unlimited, wait=5.0)
    assert done.state is State.FAILED
    (error, _) = sorted(done.found, key=lambda one: one.code)
    assert error.code == "GWC161"
    assert "the model says 429 rate-limited by route/shop/orders/0" in error.message
    assert f"{engine} says 200 (shop/orders)" in error.message


def test_also_one_that_no_expectation_shows() -> None:
    text = f"{HEAD}tests: [{{name: x, request: POST /orders, expect: {{headers: {{X-Nothing: {{present: false}}}}}}}}]"
    done = verdict("nginx", text, public)
    assert [one.code for one in done.found] == ["GWC161"]


def test_an_expectation_that_neither_keeps_is_a_failure() -> None:
    text = f"{HEAD}tests: [{{name: x, request: POST /orders, user: ann, expect: {{status: 201}}}}]"
    done = verdict("nginx", text)
    assert [one.code for one in done.found] == ["GWC160"]
    assert "nginx says 200" in done.found[0].hint


STEPS: list[dict[str, Any]] = [
    {"user": {"name": "ann", "token": "expired"}, "expect": {"status": 401, "receives": "none"}},
    {"user": {"name": "ann", "token": "early"}, "expect": {"status": 401}},
    {"user": {"name": "ann", "token": "forged"}, "expect": {"status": 401}},
    {"user": {"name": "ann", "token": "unsigned"}, "expect": {"status": 401}},
    {"user": {"name": "ann", "audience": "other"}, "expect": {"status": 403}},
    {
        "user": {"name": "ann", "claims": {"sub": "bob"}},
        "expect": {"status": 200, "receives": {"headers": {"X-User-Id": "bob"}}},
    },
    {
        "api_key": "app",
        "expect": {"status": 200, "receives": {"headers": {"X-User-Id": "app", "X-Proof": {"present": True}}}},
    },
    {"headers": {"X-API-Key": "wrong"}, "expect": {"status": 401}},
    {
        "request": "GET /goods/1",
        "answer": {"fail": "reset"},
        "expect": {"status": 502, "problem": "bad-gateway", "receives": {"calls": 1}},
    },
    {
        "request": "GET /goods/2",
        "answer": {"headers": {"Link": ["a", "b"], "X-Cache": "HIT"}},
        "expect": {"status": 200, "headers": {"Link": "a, b", "X-Cache": "MISS"}},
    },
    {"request": "HEAD /goods/2", "expect": {"status": 200, "body": "", "cache": "HIT"}},
]
WHO = json.dumps({
    "apiVersion": "gwc/v1", "kind": "Tests", "service": "shop",
    "tests": [{"name": "who gets in", "steps": [{"request": "POST /orders", **step} for step in STEPS]}],
})  # fmt: skip


@pytest.mark.parametrize("engine", ENGINES)
def test_credentials_are_as_good_as_the_test_says(engine: str) -> None:
    done = verdict(engine, WHO)
    assert [f"{one.message} {one.hint}" for one in done.found] == []
    assert done.ran == len(STEPS)


def test_not_on_needs_a_reason_that_holds(tmp_path: Path) -> None:
    found("nginx")
    text = PASSING.replace("    user: ann\n", "    user: ann\n    not_on: {nginx: cache}\n")
    done = gwc(project(tmp_path, text), "--engine", "nginx")
    assert done.returncode == 1
    assert "GWC153 nginx keeps cache exactly here" in done.stdout


def test_a_gateway_that_does_not_start_is_a_failure() -> None:
    found("nginx")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = verdict("nginx", PASSING, lambda gateway: listening(gateway, port), wait=5.0)
    assert done.state is State.FAILED
    assert [one.code for one in done.found][-1] == "GWC163", done.found


def test_one_that_does_not_answer_is_one() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    done = verdict("nginx", PASSING, lambda gateway: listening(gateway, port), wait=5.0)
    assert done.state is State.FAILED
    assert any("nginx says 2 x the connection ended without an answer" in one.message for one in done.found), done.found


def listening(gateway: Gateway, port: int) -> Gateway:
    assert gateway.listen.http is not None
    return replace(gateway, listen=replace(gateway.listen, http=replace(gateway.listen.http, port=port)))


def test_behind_https_plain_requests_are_the_models_alone() -> None:
    https = {
        "port": 8443,
        "certificate": {"file": "/etc/gwc/tls.crt"},
        "key": {"secret": {"env": "K"}},
        "redirect": True,
    }
    steps = [
        {"request": "GET /goods/1", "expect": {"status": 200}},
        {"request": "GET /goods/1", "scheme": "http", "expect": {"status": 308, "receives": "none"}},
    ]
    file = {"apiVersion": "gwc/v1", "kind": "Tests", "service": "shop", "tests": [{"name": "x", "steps": steps}]}
    platform = {**PLATFORM, "listen": {"http": 8080, "https": https}}
    done = verdict("nginx", json.dumps(file), platform=platform)
    assert (done.state, done.ran) == (State.PARTLY, 1)
    assert "plain HTTP is only redirected" in done.found[0].message


def test_nothing_that_ran_is_no_success(tmp_path: Path) -> None:
    found("nginx")
    text = f"{HEAD}tests: [{{name: x, at: 1h, request: GET /goods/1, expect: {{status: 200}}}}]"
    done = gwc(project(tmp_path, text), "--engine", "nginx")
    assert done.returncode == 1
    assert "NOT RUN  nginx  shop: x" in done.stdout
    assert "no test ran on nginx" in done.stderr
