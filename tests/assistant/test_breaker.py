"""The circuit breaker: what it counts, how many it lets through, and that it never does what it may not."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gwc_assistant.resilience import Breaker, BreakerOpenError, BreakerPolicy, Bulkhead, OverloadedError, Permit

POLICY = BreakerPolicy(window=10, min_calls=4, failure_share=0.5, slow_after=1, slow_share=0.75, open_for=5, probes=2)


class Clock:
    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


def opened(policy: BreakerPolicy = POLICY) -> tuple[Breaker, Clock]:
    clock = Clock()
    breaker = Breaker("model", policy, clock)
    for _ in range(policy.min_calls):
        breaker.acquire().fail()
    return breaker, clock


def test_it_opens_at_the_share_of_failures_and_not_before() -> None:
    breaker = Breaker("model", POLICY, Clock())
    for _ in range(3):
        breaker.acquire().succeed()
    breaker.acquire().fail()
    breaker.acquire().fail()
    assert breaker.state == "closed"
    breaker.acquire().fail()
    assert breaker.state == "open"


def test_fewer_calls_than_the_minimum_say_nothing() -> None:
    breaker = Breaker("model", POLICY, Clock())
    for _ in range(3):
        breaker.acquire().fail()
    assert breaker.state == "closed"


def test_what_is_older_than_the_window_is_forgotten() -> None:
    clock = Clock()
    breaker = Breaker("model", POLICY, clock)
    for _ in range(3):
        breaker.acquire().fail()
    clock.time += 10.1
    for _ in range(3):
        breaker.acquire().succeed()
    breaker.acquire().fail()
    assert breaker.state == "closed"


def test_slow_calls_open_it_though_they_succeed() -> None:
    clock = Clock()
    breaker = Breaker("model", POLICY, clock)
    for _ in range(4):
        permit = breaker.acquire()
        clock.time += 1.1
        permit.succeed()
    assert breaker.state == "open"


def test_a_long_stream_that_began_quickly_is_not_slow() -> None:
    clock = Clock()
    breaker = Breaker("model", POLICY, clock)
    for _ in range(4):
        permit = breaker.acquire()
        permit.responded()
        clock.time += 2
        permit.responded()
        permit.succeed()
    assert breaker.state == "closed"


def test_open_says_how_long() -> None:
    breaker, clock = opened()
    clock.time += 2
    with pytest.raises(BreakerOpenError) as raised:
        breaker.acquire()
    assert raised.value.retry_after == pytest.approx(3)


def test_exactly_the_probes_are_let_through_of_twenty_at_once_and_the_rest_is_rejected_at_once() -> None:
    async def probe(breaker: Breaker, release: asyncio.Event, rejected: list[float]) -> bool:
        started = asyncio.get_running_loop().time()
        try:
            with breaker.guard():
                await release.wait()
        except BreakerOpenError:
            rejected.append(asyncio.get_running_loop().time() - started)
            return False
        return True

    async def run() -> tuple[int, int, Breaker]:
        breaker, clock = opened()
        clock.time += 5
        release, rejected = asyncio.Event(), list[float]()
        tasks = [asyncio.create_task(probe(breaker, release, rejected)) for _ in range(20)]
        for _ in tasks:
            await asyncio.sleep(0)  # everyone has had his turn, and nobody's call is over
        at_once = len(rejected)
        release.set()
        return sum(await asyncio.gather(*tasks)), at_once, breaker

    through, rejected, breaker = asyncio.run(run())
    assert (through, rejected, breaker.state) == (2, 18, "closed")


def test_a_failed_probe_opens_it_again_for_the_whole_time() -> None:
    breaker, clock = opened()
    clock.time += 5
    first, second = breaker.acquire(), breaker.acquire()
    first.fail()
    second.succeed()
    assert breaker.state == "open"
    clock.time += 4.9
    with pytest.raises(BreakerOpenError):
        breaker.acquire()


def test_a_cancelled_probe_gives_its_place_back_and_counts_neither_way() -> None:
    async def run() -> Breaker:
        breaker, clock = opened()
        clock.time += 5

        async def call() -> None:
            with breaker.guard():
                await asyncio.sleep(60)

        for _ in range(POLICY.probes * 3):
            task = asyncio.create_task(call())
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        return breaker

    breaker = asyncio.run(run())
    assert breaker.state == "half-open"
    breaker.acquire()
    breaker.acquire()
    with pytest.raises(BreakerOpenError):
        breaker.acquire()


def test_an_outcome_from_before_the_last_change_says_nothing() -> None:
    clock = Clock()
    breaker = Breaker("model", POLICY, clock)
    late = [breaker.acquire() for _ in range(3)]
    for _ in range(4):
        breaker.acquire().fail()
    clock.time += 5
    breaker.acquire()
    late[0].fail()
    late[1].succeed()
    late[2].release()
    assert breaker.state == "half-open"
    breaker.acquire()
    with pytest.raises(BreakerOpenError):
        breaker.acquire()


def test_guard_counts_the_named_failures_alone() -> None:
    breaker = Breaker("model", POLICY, Clock())
    for _ in range(10):
        with pytest.raises(KeyError), breaker.guard(failures=(ValueError,)):
            raise KeyError
    assert breaker.state == "closed"
    for _ in range(4):
        with pytest.raises(ValueError, match="broken"), breaker.guard(failures=(ValueError,)):
            raise ValueError("broken")
    assert breaker.state == "open"


def test_the_bulkhead_refuses_what_finds_no_place_in_time() -> None:
    async def run() -> None:
        bulkhead, release = Bulkhead("model", 2, 0.01), asyncio.Event()

        async def hold() -> None:
            async with bulkhead.place():
                await release.wait()

        holders = [asyncio.create_task(hold()) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(OverloadedError):
            async with bulkhead.place():
                pass
        release.set()
        await asyncio.gather(*holders)
        async with bulkhead.place():
            pass

    asyncio.run(run())


class BreakerMachine(RuleBasedStateMachine):
    """Any order of calls, outcomes, cancellations and time. The rules are the contract, said in another way."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.moves: list[tuple[str, str]] = []
        self.breaker = Breaker("model", POLICY, self.clock, self._changed)
        self.state = "closed"
        self.opened_at = 0.0
        self.under_way: list[tuple[Permit, int]] = []
        self.era = 0

    def _changed(self, _name: str, state: str) -> None:
        self.moves.append((self.state, state))
        self.state = state
        self.era += 1
        if state == "open":
            self.opened_at = self.clock.time

    def _probes(self) -> int:
        return sum(era == self.era for _, era in self.under_way)

    @rule(seconds=st.floats(0, 12))
    def time_passes(self, seconds: float) -> None:
        self.clock.time += seconds

    @rule()
    def call(self) -> None:
        before, wait = self.state, self.opened_at + POLICY.open_for - self.clock.time
        try:
            permit = self.breaker.acquire()
        except BreakerOpenError as error:
            assert error.retry_after >= 0
            assert (before == "open" and wait > 0) or self.state == "half-open"
            return
        assert before != "open" or wait <= 0
        self.under_way.append((permit, self.era))

    @precondition(lambda self: self.under_way)
    @rule(data=st.data(), outcome=st.sampled_from(["succeed", "fail", "release", "responded"]))
    def outcome(self, data: st.DataObject, outcome: str) -> None:
        number = data.draw(st.integers(0, len(self.under_way) - 1))
        permit, era = self.under_way[number]
        before, stale = self.state, era != self.era
        if outcome != "responded":
            del self.under_way[number]
        getattr(permit, outcome)()
        assert not stale or self.state == before
        assert outcome in ("succeed", "fail") or self.state == before
        assert before != "half-open" or stale or outcome != "fail" or self.state == "open"

    @invariant()
    def only_legal_moves(self) -> None:
        legal = {("closed", "open"), ("open", "half-open"), ("half-open", "open"), ("half-open", "closed")}
        assert set(self.moves) <= legal
        assert self.breaker.state == self.state

    @invariant()
    def never_more_probes_than_may_be(self) -> None:
        assert self.state != "half-open" or self._probes() <= POLICY.probes


BreakerMachine.TestCase.settings = hypothesis_settings(max_examples=200, stateful_step_count=60, deadline=None)
TestBreakerMachine = BreakerMachine.TestCase


def test_a_window_with_very_many_calls_is_judged_by_the_latest_of_them() -> None:
    """It would take memory for each call of a busy half minute otherwise, and time at each of them."""
    breaker = Breaker("b", BreakerPolicy(window=3600), now=lambda: 1.0)
    for _ in range(5000):
        with breaker.guard():
            pass
    assert len(breaker._outcomes) == 1000
    for _ in range(500):
        assert breaker.state == "closed"
        breaker.acquire().fail()
    assert breaker.state == "open"
