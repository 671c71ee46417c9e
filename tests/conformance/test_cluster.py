"""`scope: cluster`: two gateway processes share their counts in a real Redis; what they do when it is down.

Envoy asks the rate limit service, here a double that reads the configuration which gwc emits for the real one. Kong
counts in Redis itself.
"""

from __future__ import annotations

import contextlib
import json
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from conformance.client import Request, Response, exchange
from conformance.harness import Choice, Service, accepted_gateway, compile_policies, free_port, write
from conformance.scenario import DUMMIES, Scenario
from conformance.script import KEY_HEADER, SCRIPT_HEADER, Script, encode
from conformance.upstream import Upstream
from conformance.variants import Variant, variants
from gwc.ir import Gateway
from gwc.support import Fidelity, check
from gwc.target import Running
from ratelimit_double import RateLimitService, Redis, redis_missing

DAY = 86400
PASSWORD = "p:a s$w'0\"rd"
ENVIRON = {"REDIS_PASSWORD": PASSWORD, "KEY_ANN": "k-Ann-7f3a9c2e51", "KEY_BOB": "k-Bob-0b8d4e6f12"}
_KEYS = {"ann": ENVIRON["KEY_ANN"], "bob": ENVIRON["KEY_BOB"]}
_PLATFORM: dict[str, Any] = {
    "identity": {"api_key": {"consumers": [{"name": n, "secret": {"env": f"KEY_{n.upper()}"}} for n in _KEYS]}},
    "defaults": {"auth": "none", "retries": "none"},
}


def _limited(name: str, **limit: Any) -> dict[str, Any]:
    auth = {"auth": {"any_of": ["api_key"]}} if limit["per"] == "user" else {}
    return {"name": name, "path": f"/{name}", "methods": ["GET"], **auth, "limits": [{"scope": "cluster", **limit}]}


_MAIN: dict[str, Any] = {
    "service": "main",
    "upstream": "http://127.0.0.1:${A}",
    "routes": [
        _limited("ip", per="ip", rate="3/day"),
        _limited("user", per="user", rate="3/day"),
        _limited("all", per="service", rate="3/day"),
        _limited("tenant", per={"header": "X-Tenant"}, rate="3/day"),
        _limited("shadow", per="ip", rate="1/day", mode="shadow"),
        _limited("rush", per="service", rate="5/day"),
        _limited("flow", per="service", rate="20/s", burst=10),
    ],
}
_COSTLY: dict[str, Any] = {
    "service": "costly",
    "upstream": "http://127.0.0.1:${A}",
    "auth": {"any_of": ["api_key"]},
    "budget": {"per": "user", "units": "10/day", "charge": "X-Cost-Units", "scope": "cluster"},
    "routes": [
        {"name": "light", "path": "/light", "methods": ["GET"]},
        {"name": "heavy", "path": "/heavy", "methods": ["GET"], "cost": 4},
        {"name": "free", "path": "/free", "methods": ["GET"], "cost": 0},
        {"name": "public", "path": "/public", "methods": ["GET"], "auth": "none"},
    ],
}


@dataclass
class Pair:
    """Two gateways of one policy set, and the store that they share."""

    variant: Variant
    gateways: list[Gateway]
    running: list[Running]
    upstream: Upstream
    redis: Redis
    service: RateLimitService | None
    _turn: int = 0
    _run: str = field(default_factory=lambda: uuid.uuid4().hex)

    def ask(self, path: str, user: str = "", cost: str | None = None, **headers: str) -> Response:
        """One request, of one gateway and the other in turn."""
        self._turn += 1
        listener = self.gateways[self._turn % 2].listen.http
        assert listener is not None
        sent = [("Host", "gateway.test"), (KEY_HEADER, self._run), *headers.items()]
        sent += [("X-API-Key", _KEYS[user])] if user else []
        if cost is not None:
            sent.append((SCRIPT_HEADER, encode([Script(headers=[("X-Cost-Units", cost)])])))
        return exchange((listener.host, listener.port), Request("GET", path, tuple(sent)))

    def statuses(self, path: str, times: int, user: str = "", **headers: str) -> list[int]:
        return [self.ask(path, user, **headers).status for _ in range(times)]

    def calls(self) -> int:
        return len(self.upstream.recorder.seen(self._run))

    def eventually(self, path: str, status: int, user: str = "") -> None:
        """Both gateways answer so within ten seconds, and not only one of them."""
        deadline = time.monotonic() + 10
        while set(self.statuses(path, 2, user)) != {status}:
            assert time.monotonic() < deadline, f"{path} is not answered {status}"
            time.sleep(0.2)


def value(response: Response, name: str) -> str | None:
    return next((text for key, text in response.headers if key.lower() == name.lower()), None)


def _filled(document: Any, values: dict[str, int | str]) -> Any:
    text = json.dumps(document)
    for name, port in values.items():
        text = text.replace(f"${{{name}}}", str(port))
    return json.loads(text)


def _scenario(on_failure: str, redis: int, service: int, values: dict[str, int | str]) -> Scenario:
    store = {
        "redis": f"redis://127.0.0.1:{redis}",
        "password": {"secret": {"env": "REDIS_PASSWORD"}},
        "service": f"127.0.0.1:{service}",
        "on_failure": on_failure,
    }
    return Scenario.model_construct(
        summary="cluster",
        platform={**_PLATFORM, "rate_limit_store": store},
        services=_filled([_MAIN, _COSTLY], values),
        environ=ENVIRON,
        together=False,
        cases=[],
    )


@contextlib.contextmanager
def _pair(variant: Variant, on_failure: str, service: Service, directory: Path) -> Iterator[Pair]:
    with contextlib.ExitStack() as stack:
        redis = Redis(PASSWORD).start()
        stack.callback(redis.stop)
        asked = RateLimitService(directory / "0/ratelimit/config/gwc.yaml", redis)
        pair = Pair(variant, [], [], service.upstream, redis, None)
        for number in range(2):
            values: dict[str, int | str] = {"LISTEN": free_port(), "ADMIN": free_port(), **service.upstream.ports}
            scenario = _scenario(on_failure, redis.port, asked.port, values)
            gateway, _ = accepted_gateway(scenario, variant, values)
            artifact = variant.target.emit(gateway, variant.profile)
            assert variant.target.judge(artifact) == ()
            assert not any(PASSWORD in output.text for output in artifact.files.values())
            write(artifact, directory / str(number), ENVIRON)
            pair.gateways.append(gateway)
        if variant.target.name == "envoy":
            pair.service = asked.start()
            stack.callback(asked.stop)
        for number in range(2):
            binary = variant.engine.find(variant.profile)
            pair.running.append(variant.engine.launch(binary, directory / str(number), ENVIRON))
            stack.callback(pair.running[-1].stop)
        yield pair


def _counting() -> list[Any]:
    """The gateways that can share a count at all."""
    return [
        pytest.param(variant, id=variant.name) for variant in variants() if "limits.cluster" not in _refused(variant)
    ]


def _refused(variant: Variant) -> set[str]:
    """The features of these policies that the target cannot express."""
    _, declared = accepted_gateway(_scenario("deny", 1, 1, dict(DUMMIES)), variant, DUMMIES)
    return {name for name, fidelity in declared.items() if fidelity is Fidelity.UNSUPPORTED}


def _client_missing(variant: Variant) -> str | None:
    """The stand-in borrows its client of Redis from Debian; Kong brings its own."""
    if variant.name.startswith("kong-standin/") and not Path("/usr/share/lua/5.1/nginx/redis.lua").is_file():
        return "the stand-in needs Debian's lua-nginx-redis"
    return None


Sharing = Callable[[Variant, str], Pair]


@pytest.fixture(scope="module")
def sharing(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sharing]:
    """The two gateways of a variant and an `on_failure`; the next ones take their place."""
    current: dict[tuple[str, str], Pair] = {}
    stack = contextlib.ExitStack()

    def start(variant: Variant, on_failure: str) -> Pair:
        key = (variant.name, on_failure)
        if reason := redis_missing() or variant.missing() or _client_missing(variant):
            pytest.skip(f"{variant.name} cannot share a count here: {reason}")
        if key not in current:
            current.clear()
            stack.close()
            current[key] = stack.enter_context(_pair(variant, on_failure, service, tmp_path_factory.mktemp("cluster")))
        # the same user, tenant and address are new ones for each test
        current[key].redis.command("FLUSHALL")
        return replace(current[key], _run=uuid.uuid4().hex)

    if DAY - time.time() % DAY < 120:
        time.sleep(DAY - time.time() % DAY)  # no window ends in the middle of a test
    yield start
    stack.close()


pytestmark = [pytest.mark.live, pytest.mark.xdist_group("cluster")]
by_variant = pytest.mark.parametrize("variant", _counting())
by_failure = pytest.mark.parametrize("on_failure", ["deny", "allow"])


@by_variant
@pytest.mark.parametrize("route", ["ip", "user", "all", "tenant"])
def test_two_gateways_share_one_count(sharing: Sharing, variant: Variant, route: str) -> None:
    pair = sharing(variant, "deny")
    user = "ann" if route == "user" else ""
    assert pair.statuses(f"/{route}", 6, user) == [200] * 3 + [429] * 3
    assert pair.calls() == 3


@by_variant
def test_users_and_tenants_have_their_own(sharing: Sharing, variant: Variant) -> None:
    pair = sharing(variant, "deny")
    assert [pair.statuses("/user", 4, user) for user in ("ann", "bob")] == [[200] * 3 + [429]] * 2
    for tenant in ({"X-Tenant": "red"}, {"X-Tenant": "blue"}, {}):
        assert pair.statuses("/tenant", 4, **tenant) == [200] * 3 + [429]


@by_variant
def test_a_refusal_says_when_to_come_back(sharing: Sharing, variant: Variant) -> None:
    pair = sharing(variant, "deny")
    refusal = [pair.ask("/user", "ann") for _ in range(4)][-1]
    assert refusal.status == 429
    assert value(refusal, "Content-Type") == "application/problem+json"
    problem = json.loads(refusal.body)
    assert (problem["type"], problem["status"]) == ("https://errors.example.com/rate-limited", 429)
    assert problem["instance"] == "/user"
    wait = int(value(refusal, "Retry-After") or 0)
    assert 1 <= wait <= DAY
    policy = value(refusal, "RateLimit-Policy") or ""
    assert policy.endswith(";q=3;w=86400")
    assert value(refusal, "RateLimit") == f"{policy.partition(';')[0]};r=0;t={wait}"


@by_variant
def test_a_rush_on_both_is_admitted_as_the_limit_says(sharing: Sharing, variant: Variant) -> None:
    pair = sharing(variant, "deny")
    with ThreadPoolExecutor(15) as pool:
        statuses = Counter(pool.map(lambda _: pair.ask("/rush").status, range(30)))
    assert statuses == {200: 5, 429: 25}


@pytest.mark.slow
@by_variant
def test_constant_overload_is_admitted_at_the_rate(sharing: Sharing, variant: Variant) -> None:
    """Sixty requests a second for twenty seconds. Windows of the clock (approximate): two more of them at most."""
    pair, seconds = sharing(variant, "deny"), 20.0
    started = time.monotonic()

    def at_its_moment(number: int) -> int:
        time.sleep(max(0.0, started + number / 60 - time.monotonic()))
        return pair.ask("/flow").status

    with ThreadPoolExecutor(12) as pool:
        statuses = Counter(pool.map(at_its_moment, range(int(60 * seconds))))
    took = time.monotonic() - started
    fair = 20 * took + 10
    slack = 40.0 if variant.target.name == "envoy" else 0.02 * fair + 1
    assert statuses.keys() == {200, 429}
    assert abs(statuses[200] - fair) <= slack, (statuses, took)


@by_variant
def test_a_shadow_counts_and_refuses_nothing(sharing: Sharing, variant: Variant) -> None:
    pair = sharing(variant, "deny")
    before = pair.redis.command("DBSIZE")
    assert pair.statuses("/shadow", 4) == [200] * 4
    assert (before, pair.redis.command("DBSIZE")) == (0, 1)


@by_variant
def test_a_budget_runs_out_over_both(sharing: Sharing, variant: Variant) -> None:
    pair = sharing(variant, "deny")
    assert pair.statuses("/heavy", 2, "ann") == [200, 200]
    assert pair.statuses("/light", 2, "ann") == [200, 200]
    refusal = pair.ask("/light", "ann")
    assert (refusal.status, json.loads(refusal.body)["type"]) == (429, "https://errors.example.com/budget-exhausted")
    assert abs(int(value(refusal, "Retry-After") or 0) - (DAY - time.time() % DAY)) < 3
    assert pair.statuses("/free", 3, "ann") == [200] * 3
    assert pair.statuses("/public", 3) == [200] * 3
    assert pair.statuses("/light", 1, "bob") == [200]


@by_variant
def test_what_it_really_cost_is_settled(sharing: Sharing, variant: Variant) -> None:
    """Ten units: one on admission and seven more by the header leave two, on the other gateway too."""
    pair = sharing(variant, "deny")
    first = pair.ask("/light", "ann", cost="8")
    assert (first.status, value(first, "X-Cost-Units")) == (200, None)
    time.sleep(0.5)
    assert pair.statuses("/light", 4, "ann") == [200, 200, 429, 429]


@by_variant
def test_nobody_sees_or_fakes_the_cost(sharing: Sharing, variant: Variant) -> None:
    pair = sharing(variant, "deny")
    assert value(pair.ask("/public", cost="9"), "X-Cost-Units") is None
    for nonsense in ("-5", "many", "", "1e9"):
        answer = pair.ask("/light", "ann", cost=nonsense, **{"X-Cost-Units": "-100"})
        assert (answer.status, value(answer, "X-Cost-Units")) == (200, None)
    time.sleep(0.5)
    assert pair.statuses("/light", 7, "ann") == [200] * 6 + [429]


@by_variant
@by_failure
def test_the_store_goes_and_comes_back(sharing: Sharing, variant: Variant, on_failure: str) -> None:
    pair = sharing(variant, on_failure)
    assert pair.statuses("/user", 4, "ann") == [200] * 3 + [429]
    pair.redis.stop()
    try:
        down = [pair.ask(path, "bob") for path in ("/user", "/user", "/ip", "/light", "/light") for _ in range(2)]
        shadow = pair.statuses("/shadow", 2)
    finally:
        pair.redis.start()
    assert {answer.status for answer in down} == {503 if on_failure == "deny" else 200}
    assert max(answer.elapsed for answer in down) < 2
    assert shadow == [200, 200]
    if on_failure == "deny":
        assert {value(answer, "Retry-After") for answer in down} == {"1"}
        problems = {json.loads(answer.body)["type"] for answer in down}
        assert problems == {"https://errors.example.com/unavailable"}
    pair.eventually("/free", 200, "bob")
    _until_counted(pair)
    pair.redis.command("FLUSHALL")
    assert pair.statuses("/user", 6, "bob") == [200] * 3 + [429] * 3


def _until_counted(pair: Pair) -> None:
    """Both gateways count again: each adds to the store what it is asked."""
    deadline = time.monotonic() + 10
    while True:
        pair.redis.command("FLUSHALL")
        statuses = pair.statuses("/rush", 6)
        if Counter(statuses) == {200: 5, 429: 1}:
            return
        assert time.monotonic() < deadline, f"they do not count again: {statuses}"
        time.sleep(0.2)


@by_variant
def test_the_rate_limit_service_goes(sharing: Sharing, variant: Variant) -> None:
    """Envoy alone: the service itself, and not what it stores in."""
    pair = sharing(variant, "deny")
    if pair.service is None:
        pytest.skip("this gateway counts in Redis itself")
    pair.service.stop()
    try:
        answers = [pair.ask("/user", "ann") for _ in range(4)]
    finally:
        pair.service.start()
    assert {(answer.status, value(answer, "Retry-After")) for answer in answers} == {(503, "1")}
    _until_counted(pair)


@pytest.mark.parametrize("variant", [pytest.param(v, id=v.name) for v in variants()])
def test_what_cannot_be_shared_is_refused(variant: Variant) -> None:
    """The compiler names the features, and says what to do."""
    gateway, _ = compile_policies(
        _scenario("deny", 1, 1, dict(DUMMIES)), Choice(variant.target.name, variant.profile), DUMMIES
    )
    assert gateway is not None
    said = [d for d in check(gateway, variant.target.support(variant.profile)) if d.code == "GWC601"]
    refused = _refused(variant) & {"limits.cluster", "budget.cluster"}
    assert {name for name in refused if any(f"accept: [{name}]" in d.hint for d in said)} == refused
