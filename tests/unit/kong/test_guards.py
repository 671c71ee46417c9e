"""Limits, budgets, caps and breakers of the plugin under LuaJIT, with a clock that the test turns."""

from __future__ import annotations

from typing import Any

import pytest

from unit.kong.luajit import loaded


class Guards:
    """The guards' modules in one runtime, with shared counters."""

    def __init__(self) -> None:
        needs = ("counters", "health", "breaker", "budget", "flights", "concurrency")
        self.runtime, self.limits = loaded("limits", *needs)
        self.budget, self.breaker, self.concurrency = (self.named(n) for n in ("budget", "breaker", "concurrency"))

    def named(self, name: str) -> Any:
        return self.runtime.eval(f'package.loaded["kong.plugins.gwc.{name}"]')

    def table(self, text: str) -> Any:
        return self.runtime.eval(text)

    def pass_time(self, seconds: float) -> None:
        self.runtime.execute(f"now = now + {seconds}")

    def take(self, limits: str, who: str = "{}") -> Any:
        return self.limits.take(self.table(limits), self.table(who), self.table("{}"))


IP = '{{id="a", key="ip", tokens=%d, period=%d, burst=%d, shadow=false}}'


def test_a_bucket_gives_its_burst_and_refills_evenly() -> None:
    guards, limit = Guards(), IP % (60, 60, 3)
    assert [guards.take(limit, '{ip="1"}') is None for _ in range(4)] == [True, True, True, False]
    guards.pass_time(0.9)
    assert guards.take(limit, '{ip="1"}') is not None
    guards.pass_time(0.1)
    assert guards.take(limit, '{ip="1"}') is None
    assert guards.take(limit, '{ip="2"}') is None
    guards.pass_time(3600)
    assert [guards.take(limit, '{ip="1"}') is None for _ in range(4)] == [True, True, True, False]


def test_a_refusal_says_when_to_come_back() -> None:
    guards, limit = Guards(), IP % (60, 3600, 1)
    assert guards.take(limit, '{ip="1"}') is None
    told = dict(guards.take(limit, '{ip="1"}'))
    assert told == {"Retry-After": "60", "RateLimit-Policy": '"a";q=60;w=3600', "RateLimit": '"a";r=0;t=60'}


def test_all_buckets_give_or_none() -> None:
    guards = Guards()
    both = """{{id="wide", key="service", tokens=1, period=3600, burst=5, shadow=false},
               {id="narrow", key="ip", tokens=1, period=3600, burst=1, shadow=false}}"""
    assert guards.take(both, '{ip="1"}') is None
    assert all(guards.take(both, '{ip="1"}') is not None for _ in range(10))
    assert [guards.take(both, f'{{ip="{n}"}}') is None for n in range(2, 8)] == [True] * 4 + [False] * 2


def test_a_shadow_counts_and_refuses_nothing() -> None:
    guards = Guards()
    limit = '{{id="s", key="service", tokens=1, period=3600, burst=1, shadow=true}}'
    states = [guards.table("{}") for _ in range(3)]
    assert all(guards.limits.take(guards.table(limit), guards.table("{}"), state) is None for state in states)
    assert [list((state["shadowed"] or guards.table("{}")).values()) for state in states] == [[], ["s"], ["s"]]


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("2001:0db8:0001:0002::1", "2001:db8:1:2::9", True),
        ("::1", "::2", True),
        ("fe80::1", "::1", False),
        ("10.0.0.1", "10.0.0.2", False),
        ("::ffff:10.0.0.1", "10.0.0.1", True),
        ("::ffff:10.0.0.1", "::ffff:10.0.0.2", False),
    ],
)
def test_clients_as_limits_count_them(one: str, other: str, alike: bool) -> None:
    client = Guards().limits.client
    assert (client(one) == client(other)) is alike


def test_a_budget_runs_out_and_comes_back_with_the_period() -> None:
    guards = Guards()
    guards.runtime.execute("now = 3600 * 1000 + 600")
    route = guards.table('{service="s", cost=4, budget={units=10, period=3600}}')
    free = guards.table('{service="s", cost=0, budget={units=10, period=3600}}')
    assert [guards.budget.take(route, "ann", guards.table("{}")) for _ in range(3)] == [None, None, 3000]
    assert guards.budget.take(free, "ann", guards.table("{}")) is None
    assert guards.budget.take(route, "bob", guards.table("{}")) is None
    guards.pass_time(3000)
    assert guards.budget.take(route, "ann", guards.table("{}")) is None


@pytest.mark.parametrize(
    ("charge", "passing"),
    [("9", 2), ("1", 5), ("500", 0), ("-5", 4), ("x", 4), ("", 4), ("NaN", 4), ("1e9", 4), (None, 4), ("4", 4)],
)
def test_the_actual_cost_is_settled(charge: str | None, passing: int) -> None:
    guards = Guards()
    light = guards.table('{service="s", cost=4, budget={units=16, period=86400}}')
    unit = guards.table('{service="s", cost=3, budget={units=16, period=86400}}')
    state = guards.table("{}")
    assert guards.budget.take(light, "ann", state) is None
    guards.budget.settle(state, charge)
    assert sum(guards.budget.take(unit, "ann", guards.table("{}")) is None for _ in range(6)) == passing


def test_places_are_taken_together_and_given_back() -> None:
    guards = Guards()
    caps = guards.table('{{name="*", most=3}, {name="s", most=2}}')
    states = [guards.table("{}") for _ in range(3)]
    assert [guards.concurrency.enter(caps, state) for state in states] == [None, None, "s"]
    other = guards.table("{}")
    assert guards.concurrency.enter(guards.table('{{name="*", most=3}}'), other) is None
    guards.concurrency.leave(states[0])
    guards.concurrency.leave(states[0])
    guards.concurrency.leave(states[2])
    assert guards.concurrency.enter(caps, guards.table("{}")) is None
    assert guards.concurrency.enter(caps, guards.table("{}")) == "*"


def test_what_a_dead_worker_held_is_taken_off() -> None:
    guards, caps = Guards(), '{{name="s", most=3}, {name="other", most=9}}'
    held = guards.table("{}")
    assert guards.concurrency.enter(guards.table(caps), held) is None
    guards.runtime.execute("pid = 200")
    taken = [guards.concurrency.enter(guards.table(caps), guards.table("{}")) for _ in range(3)]
    assert taken == [None, None, "s"]
    flights = guards.named("flights")
    for _ in range(2):  # every worker does it when it begins
        flights.recover(guards.table('function(pid) return pid ~= "200" end'))
    assert (flights.value("s"), flights.value("other")) == (1, 1)
    guards.runtime.execute("pid = 100")
    guards.concurrency.leave(held)
    assert (flights.value("s"), flights.value("other")) == (0, 0)


def test_a_breaker_opens_after_failures_in_a_row_and_closes_again() -> None:
    guards = Guards()
    route = guards.table('{service="s", endpoints={{host="h", port=1}}, breaker={failures=3, open=10}}')
    for failed in (True, True, False, True, True):
        guards.breaker.report(route, 1, failed)
    assert guards.breaker.closed_for(route) is None
    guards.breaker.report(route, 1, True)
    assert guards.breaker.closed_for(route) == 10
    guards.pass_time(10)
    assert guards.breaker.closed_for(route) is None
    guards.breaker.report(route, 1, True)
    assert guards.breaker.closed_for(route) is None
