"""`scope: cluster`: two gateway processes share their counts in a real Redis; what they do when it is down."""

from __future__ import annotations

import contextlib
import json
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conformance.cluster import DAY, PASSWORD, Pair, scenario, started, value
from conformance.conftest import on_each_gateway
from conformance.harness import Choice, Service, accepted_gateway, compile_policies
from conformance.scenario import DUMMIES
from conformance.variants import Variant, variants
from gwc.support import Fidelity
from gwc.survey import check
from ratelimit_double import Redis, redis_missing


def _counting() -> list[Any]:
    """The gateways that can share a count at all."""
    return [
        pytest.param(variant, id=variant.name) for variant in variants() if "limits.cluster" not in _refused(variant)
    ]


def _refused(variant: Variant) -> set[str]:
    """The features of these policies that the target cannot express."""
    _, declared = accepted_gateway(scenario("deny", "redis://127.0.0.1:1", 1, dict(DUMMIES)), variant, DUMMIES)
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
            directory, redis = tmp_path_factory.mktemp("cluster"), Redis(PASSWORD)
            current[key] = stack.enter_context(started(variant, on_failure, service, directory, redis, {}))
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
@pytest.mark.parametrize("route", ["ip", "user", "all", "tenant", "encrypted"])
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
    """Sixty requests a second for a minute. Windows of the clock (approximate): two more of them at most.

    On a busy machine the store may be late for one: that is a 503, as `on_failure: deny` wants, counted or not.
    """
    pair, seconds = sharing(variant, "deny"), 60.0
    started = time.monotonic()

    def at_its_moment(number: int) -> int:
        time.sleep(max(0.0, started + number / 60 - time.monotonic()))
        return pair.ask("/flow").status

    with ThreadPoolExecutor(12) as pool:
        statuses = Counter(pool.map(at_its_moment, range(int(60 * seconds))))
    took = time.monotonic() - started
    fair = 20 * took + 10
    slack = 40.0 if variant.target.name == "envoy" else 0.02 * fair + 1
    late = statuses.pop(503, 0)
    assert late <= 0.01 * 60 * seconds
    assert statuses.keys() == {200, 429}
    assert abs(statuses[200] - fair) <= slack + late, (statuses, took)


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


@on_each_gateway()
def test_what_cannot_be_shared_is_refused(variant: Variant) -> None:
    """The compiler names the features, and says what to do."""
    gateway, _ = compile_policies(
        scenario("deny", "redis://127.0.0.1:1", 1, dict(DUMMIES)), Choice(variant.target.name, variant.profile), DUMMIES
    )
    assert gateway is not None
    said = [d for d in check(gateway, variant.target.support(variant.profile)) if d.code == "GWC601"]
    refused = _refused(variant) & {"limits.cluster", "budget.cluster"}
    assert {name for name in refused if any(f"accept: [{name}]" in d.hint for d in said)} == refused
