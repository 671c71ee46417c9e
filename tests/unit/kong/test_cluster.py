"""The scripts that Kong's plugin runs inside Redis, in a real one."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from gwc_kong.document import lua
from ratelimit_double import Redis, redis_missing
from unit.kong.luajit import loaded

_SCRIPTS = dict(re.findall(r"^local (TAKE|SPEND|SETTLE) = \[\[\n(.*?)\]\]$", lua("cluster"), re.DOTALL | re.MULTILINE))


@pytest.fixture(scope="module")
def running() -> Iterator[Redis]:
    if reason := redis_missing():
        pytest.skip(reason)
    store = Redis().start()
    yield store
    store.stop()


@pytest.fixture
def redis(running: Redis) -> Redis:
    running.command("FLUSHALL")
    return running


def _run(redis: Redis, script: str, keys: list[str], *arguments: object) -> Any:
    return redis.command("EVAL", _SCRIPTS[script], len(keys), *keys, *arguments)


def _take(redis: Redis, *buckets: tuple[str, float, int, str]) -> tuple[int, float, list[int]]:
    """Which limit refuses, the wait, and the shadows that would have."""
    arguments = [part for _, interval, burst, mode in buckets for part in (repr(interval), burst, mode)]
    worst, wait, *shadowed = _run(redis, "TAKE", [key for key, *_ in buckets], *arguments)
    return worst, float(wait), shadowed


def test_a_bucket_gives_its_burst_and_then_its_rate(redis: Redis) -> None:
    bucket = ("a", 0.1, 5, "enforce")
    assert [_take(redis, bucket)[0] for _ in range(6)] == [0] * 5 + [1]
    _, wait, _ = _take(redis, bucket)
    assert 0 < wait <= 0.1
    time.sleep(wait + 0.01)
    assert [_take(redis, bucket)[0] for _ in range(2)] == [0, 1]


@pytest.mark.parametrize(("tokens", "period"), [(1000, 1), (7, 60), (1, 86400), (100_000, 86400), (3, 3600)])
def test_the_whole_burst_is_there_and_not_one_more_than_time_gives(redis: Redis, tokens: int, period: int) -> None:
    bucket = ("a", period / tokens, 60, "enforce")
    started = time.monotonic()
    admitted = sum(_take(redis, bucket)[0] == 0 for _ in range(90))
    assert 60 <= admitted <= 60 + (time.monotonic() - started) * tokens / period + 1


def test_many_at_once_take_what_is_there(redis: Redis) -> None:
    with ThreadPoolExecutor(10) as pool:
        taken = list(pool.map(lambda _: _take(redis, ("a", 3600.0, 5, "enforce"))[0], range(50)))
    assert taken.count(0) == 5


def test_a_refusal_takes_nothing_from_any_bucket(redis: Redis) -> None:
    wide, narrow = ("wide", 3600.0, 5, "enforce"), ("narrow", 3600.0, 1, "enforce")
    assert [_take(redis, wide, narrow)[0] for _ in range(10)] == [0] + [2] * 9
    assert [_take(redis, wide)[0] for _ in range(5)] == [0] * 4 + [1]


def test_a_shadow_is_told_and_refuses_nothing(redis: Redis) -> None:
    shadow, wide = ("shadow", 3600.0, 1, "shadow"), ("wide", 3600.0, 3, "enforce")
    answers = [_take(redis, wide, shadow) for _ in range(4)]
    assert [(worst, shadows) for worst, _, shadows in answers] == [(0, []), (0, [2]), (0, [2]), (1, [2])]


def test_a_full_bucket_is_no_key(redis: Redis) -> None:
    _take(redis, ("a", 0.01, 5, "enforce"))
    assert 0 < redis.command("PTTL", "a") <= 1011


def test_a_budget_runs_out_and_is_settled(redis: Redis) -> None:
    spend = lambda cost: _run(redis, "SPEND", ["b"], cost, 10, 60)  # noqa: E731
    assert [spend(4), spend(4), spend(4), spend(2), spend(1)] == [1, 1, 0, 1, 0]
    assert [_run(redis, "SETTLE", ["b", "first"], -3, 60, 9) for _ in range(3)] == [1, 1, 1], "once, however often"
    assert [spend(3), spend(1)] == [1, 0]
    _run(redis, "SETTLE", ["b", "second"], 500, 60, 9)
    _run(redis, "SETTLE", ["b", "third"], -10_000, 60, 9)
    assert 0 < redis.command("TTL", "first") <= 9
    assert redis.command("GET", "b") == b"0"
    assert 0 < redis.command("TTL", "b") <= 60


def _cluster(run: str) -> tuple[Any, Any]:
    """The runtime and the module, with `run` in place of the store."""
    runtime, _ = loaded("limits", "counters", "budget")
    runtime.execute(f'package.loaded["kong.plugins.gwc.redis"] = {{ run = {run} }}')
    return runtime, runtime.eval("function(text) return assert(loadstring(text, 'cluster'))() end")(lua("cluster"))


@pytest.mark.parametrize(("down_for", "waits"), [(0, [0]), (3, [0, 1, 2, 4]), (99, [0, 1, 2, 4, 8, 16, 32])])
def test_a_store_that_is_down_gets_the_cost_later(down_for: int, waits: list[int]) -> None:
    runtime, cluster = _cluster(
        "function(_, _, keys) calls[#calls + 1] = keys[2] return #calls > down_for and 1 or nil end"
    )
    runtime.execute(f"""
        calls, waits, down_for, said = {{}}, {{}}, {down_for}, nil
        ngx.var, ngx.ERR = {{ request_id = "unique" }}, 1
        ngx.log = function(...) said = table.concat({{ ... }}) end
        ngx.timer = {{ at = function(seconds, work) waits[#waits + 1] = seconds work(false) return 1 end }}
    """)
    cluster.settle(runtime.eval("{}"), runtime.eval('{spent={key="b", cost=2, ttl=60}}'), "7")
    assert list(runtime.eval("waits").values()) == waits
    assert set(runtime.eval("calls").values()) == {"{gwc}:settled:unique"}, "the same mark each time"
    assert (runtime.eval("said") is not None) is (down_for == 99)


def _asked(answer: str, on_failure: str) -> tuple[Any, Any]:
    """What limits and budget make of a store that answers so."""
    runtime, cluster = _cluster(f"function() return {answer} end")
    store, state = runtime.eval(f'{{on_failure="{on_failure}"}}'), runtime.eval("{}")
    limits = runtime.eval('{{id="a", key="ip", tokens=1, period=60, burst=1, shadow=false}}')
    route = runtime.eval('{service="s", cost=2, budget={units=9, period=60}}')
    taken = cluster.take(store, limits, runtime.eval('{ip="1"}'), state)
    spent = cluster.spend(store, route, "ann", state)
    return _kind(taken), _kind(spent)


def _kind(found: Any) -> Any:
    return found[0] if isinstance(found, tuple) else found


@pytest.mark.parametrize(
    "answer", ["nil", "{}", '"OK"', "{7, '1'}", "{-1, '1'}", "{'0', '1'}", "{0, 'x'}", "function() end"]
)
def test_what_is_no_answer_of_the_scripts_counts_as_none(answer: str) -> None:
    assert _asked(answer, "deny") == ("unavailable", "unavailable")
    assert _asked(answer, "allow") == (None, None)


def test_answers_of_the_scripts() -> None:
    assert _asked("{0, '0'}", "deny")[0] is None
    assert _asked("{1, '3.5'}", "allow")[0] == "rate-limited"
    assert (_asked("1", "deny")[1], _asked("0", "allow")[1]) == (None, "budget-exhausted")
