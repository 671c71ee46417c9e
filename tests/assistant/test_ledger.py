"""The ledger: nothing is charged twice, nothing committed is lost, whatever happens in between."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assistant.postgres import Postgres, rows
from assistant.running import SERVICES
from gwc_assistant.cost import (
    Bill,
    Charge,
    Ledger,
    LedgerUnavailableError,
    LedgerUsage,
    PostgresLedger,
    Prices,
    Retention,
    SqliteLedger,
    new_charge_id,
)
from gwc_assistant.cost.bill import estimated
from gwc_assistant.domain import TokenUsage

T = TypeVar("T")


def charge(units: int | None, *, user: str = "ann", identity: str = "", model: str = "small") -> Charge:
    return Charge(
        id=identity or new_charge_id(),
        request_id="from-the-gateway",
        user=user,
        route="ask",
        model=model,
        prompt_characters=400,
        input_tokens=100,
        output_tokens=10,
        usd=None if units is None else Decimal(units) / 10_000,
        units=units,
        cache="miss",
        estimated=False,
    )


Work = Callable[[Ledger], Awaitable[T]]


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a ledger is: each test has one of its own in each database."""
    if request.param == "sqlite":
        return str(tmp_path / "ledger")
    server: Postgres = request.getfixturevalue("postgres")
    return server.database()


def ledger_at(place: str, **told: Any) -> Ledger:
    return PostgresLedger(place, **told) if place.startswith("postgresql:") else SqliteLedger(Path(place), **told)


def with_ledger(place: str, work: Work[T], **told: Any) -> T:
    async def run() -> T:
        ledger = ledger_at(place, **told)
        await ledger.warm_up()
        try:
            return await work(ledger)
        finally:
            await ledger.aclose()

    return asyncio.run(run())


def stored(place: str, statement: str) -> list[tuple[Any, ...]]:
    """`statement` names tables as SQLite has them."""
    if place.startswith("postgresql:"):
        for table in ("charges", "carries", "sums"):
            statement = statement.replace(f"FROM {table}", f"FROM assistant_{table}")
        return [tuple(row.values()) for row in rows(place, statement.replace("user", "caller"))]
    with sqlite3.connect(place) as db:
        found = db.execute(statement).fetchall()
    db.close()
    return found


def test_one_id_is_charged_once(place: str) -> None:
    async def work(ledger: Ledger) -> None:
        one = charge(5)
        assert await ledger.charge(one) == 5
        assert await ledger.charge(replace(one, units=9)) == 5
        assert await ledger.settle(one) is False
        usage = await ledger.usage("ann", 0)
        assert (usage.lines[0].requests, usage.lines[0].units, usage.carry) == (1, 5, 0)

    with_ledger(place, work)


def test_a_settled_difference_goes_onto_the_next_charge_of_that_user_alone(place: str) -> None:
    async def work(ledger: Ledger) -> None:
        stream = charge(4)
        assert await ledger.begin(stream) == 4
        assert await ledger.settle(replace(stream, units=10))
        assert await ledger.settle(replace(stream, units=10)) is False
        assert await ledger.charge(charge(1, user="bob")) == 1
        assert await ledger.charge(charge(1)) == 7
        assert await ledger.charge(charge(1)) == 1

    with_ledger(place, work)


def test_a_credit_is_spent_down_and_never_reported_below_nothing(place: str) -> None:
    async def work(ledger: Ledger) -> list[int | None]:
        stream = charge(10)
        await ledger.begin(stream)
        await ledger.settle(replace(stream, units=2))
        return [await ledger.charge(charge(3)) for _ in range(4)]

    assert with_ledger(place, work) == [0, 0, 1, 3]


def test_an_unknown_price_carries_nothing(place: str) -> None:
    async def work(ledger: Ledger) -> None:
        assert await ledger.charge(charge(None)) is None
        stream = charge(None)
        assert await ledger.begin(stream) is None
        assert await ledger.settle(replace(stream, units=50, usd=Decimal("0.005")))
        usage = await ledger.usage("ann", 0)
        assert (usage.carry, usage.lines[0].unknown, usage.lines[0].units) == (0, 1, 50)

    with_ledger(place, work)


def test_a_stream_whose_end_has_no_price_keeps_its_estimate(place: str) -> None:
    async def work(ledger: Ledger) -> None:
        stream = charge(4)
        await ledger.begin(stream)
        await ledger.settle(replace(stream, units=None, usd=None))
        usage = await ledger.usage("ann", 0)
        assert (usage.carry, usage.lines[0].units) == (0, 4)

    with_ledger(place, work)


def test_another_users_stream_cannot_be_settled(place: str) -> None:
    async def work(ledger: Ledger) -> None:
        stream = charge(4)
        await ledger.begin(stream)
        assert await ledger.settle(replace(stream, user="bob", units=0)) is False

    with_ledger(place, work)


Step = tuple[str, str, int]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["charge", "begin", "settle", "again"]), st.sampled_from(["ann", "bob"]), st.integers(0, 30)
    ),
    max_size=25,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_what_was_used_is_what_was_reported_and_the_carry(place: str, steps: list[Step]) -> None:
    """Each example has users of its own."""
    example = new_charge_id()

    async def work(ledger: Ledger) -> None:
        used, told = dict.fromkeys(("ann", "bob"), 0), dict.fromkeys(("ann", "bob"), 0)
        begun: dict[str, list[Charge]] = {"ann": [], "bob": []}
        for action, user, units in steps:
            one = charge(units, user=user + example)
            if action in ("charge", "begin"):
                told[user] += await getattr(ledger, action)(one)
                used[user] += units
                begun[user] += [one] if action == "begin" else []
            elif begun[user] and action == "settle":
                first = begun[user].pop(0)
                assert await ledger.settle(replace(first, units=units))
                used[user] += units - (first.units or 0)
            elif begun[user]:
                await ledger.begin(begun[user][0])
            carry = (await ledger.usage(user + example, 0)).carry
            assert used[user] == told[user] + carry

    with_ledger(place, work)


def test_many_at_once_are_charged_once_each(place: str) -> None:
    """Of several processes: each has a ledger of its own over one database."""

    async def work(ledger: Ledger) -> list[int]:
        others = [ledger_at(place) for _ in range(2)]
        for other in others:
            await other.warm_up()
        same = charge(1, identity="the-same-for-all")
        charges = [other.charge(charge(3)) for other in (ledger, *others) for _ in range(15)]
        again = [other.charge(same) for other in (ledger, *others) for _ in range(3)]
        found = [units or 0 for units in await asyncio.gather(*charges, *again)]
        for other in others:
            await other.aclose()
        return found

    told = with_ledger(place, work)
    assert told == [3] * 45 + [1] * 9
    ((count, units),) = stored(place, "SELECT count(*), sum(units) FROM charges WHERE user = 'ann'")
    assert (count, int(units)) == (46, 3 * 45 + 1)


def test_streams_of_one_user_that_settle_together_carry_all_of_it(place: str) -> None:
    async def work(ledger: Ledger) -> None:
        streams = [charge(4) for _ in range(20)]
        for stream in streams:
            await ledger.begin(stream)
        assert all(await asyncio.gather(*(ledger.settle(replace(one, units=6)) for one in streams)))
        assert await ledger.charge(charge(1)) == 41

    with_ledger(place, work)


DAY = 86_400.0


def test_old_charges_become_sums_of_a_day_and_what_is_shown_stays_the_same(place: str) -> None:
    clock = [1000 * DAY + 100]

    async def work(ledger: Ledger) -> None:
        for day in range(60):
            clock[0] = (1000 + day) * DAY + 500
            await ledger.charge(charge(day + 1))
            await ledger.charge(replace(charge(2, model="large"), cache="exact", estimated=True))
            await ledger.charge(charge(None, user="bob"))
        recent, ever = (clock[0] - 30 * DAY), 0.0
        before = [await ledger.usage(user, since) for user in ("ann", "bob") for since in (recent, ever)]
        retention = Retention(ledger, charges=31, sums=365, now=lambda: clock[0])
        assert await retention.once() == 28 * 3
        assert await retention.once() == 0
        after = [await ledger.usage(user, since) for user in ("ann", "bob") for since in (recent, ever)]
        assert before == after
        assert after[3].lines[0].unknown == 60

    with_ledger(place, work, now=lambda: clock[0])
    assert stored(place, "SELECT count(*) FROM charges") == [(32 * 3,)]
    assert stored(place, "SELECT count(*) FROM sums") == [(28 * 3,)]


def test_a_day_whose_sums_are_there_takes_what_comes_late(place: str) -> None:
    """By a clock that was set back, or a transaction that was slow."""
    clock = [1000 * DAY + 100]

    async def work(ledger: Ledger) -> None:
        for _ in range(2):
            await ledger.charge(charge(5))
            assert await ledger.sum_up(1001 * DAY) == 1
        (line,) = (await ledger.usage("ann", 0)).lines
        assert (line.requests, line.units, line.input_tokens, line.usd) == (2, 10, 200, Decimal("0.001"))

    with_ledger(place, work, now=lambda: clock[0])


def test_what_nobody_asks_for_any_more_is_forgotten(place: str) -> None:
    clock = [1000 * DAY]

    async def work(ledger: Ledger) -> None:
        stream = charge(4)
        await ledger.begin(stream)
        await ledger.settle(replace(stream, units=10))
        clock[0] += 300 * DAY
        other = charge(4, user="bob")
        await ledger.begin(other)
        await ledger.settle(replace(other, units=10))
        clock[0] += 99 * DAY
        await Retention(ledger, charges=31, sums=365, now=lambda: clock[0]).once()
        assert (await ledger.usage("ann", 0)) == LedgerUsage(0, (), 0)
        bob = await ledger.usage("bob", 0)
        assert (bob.lines[0].units, bob.carry) == (10, 6)

    with_ledger(place, work, now=lambda: clock[0])


def test_many_old_charges_are_summed_up_a_little_at_a_time_while_others_are_made(place: str) -> None:
    clock = [1000 * DAY]

    async def work(ledger: Ledger) -> None:
        for _ in range(60):
            await asyncio.gather(*(ledger.charge(charge(1)) for _ in range(20)))
            clock[0] += 1
        clock[0] += 50 * DAY
        retentions = [Retention(ledger, 31, 365, lambda: clock[0]) for _ in range(2)]
        made = [ledger.charge(charge(1)) for _ in range(20)]
        first, second, *_ = await asyncio.gather(*(one.once() for one in retentions), *made)
        assert first + second == 1200
        assert (await ledger.usage("ann", 0)).lines[0].units == 1220

    with_ledger(place, work, now=lambda: clock[0])


WRITER = """
import asyncio, sys
from dataclasses import replace
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from gwc_assistant.cost import Charge, PostgresLedger, SqliteLedger, new_charge_id

async def write():
    place = sys.argv[1]
    ledger = PostgresLedger(place) if place.startswith("postgresql:") else SqliteLedger(Path(place))
    await ledger.warm_up()
    while True:
        one = Charge(new_charge_id(), "r", "ann", "ask", "small", 1, 1, 1, None, 5, "miss", False)
        print("began", one.id, await ledger.begin(one), flush=True)
        await ledger.settle(replace(one, units=7))
        print("settled", one.id, flush=True)

asyncio.run(write())
"""


def killed_writer(place: str) -> list[list[str]]:
    """What a process told of before it was killed, at any moment."""
    command = [sys.executable, "-c", WRITER, place, str(SERVICES)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=dict(os.environ))
    assert process.stdout is not None
    lines = [process.stdout.readline()]
    time.sleep(random.uniform(0, 0.15))
    process.send_signal(signal.SIGKILL)
    lines += process.stdout.read().splitlines()
    process.stdout.close()
    assert process.wait(timeout=10) == -signal.SIGKILL
    return [line.split() for line in lines if line.strip()]


def test_killed_at_any_moment_it_has_every_charge_it_told_of_and_none_twice(place: str) -> None:
    began: dict[str, int] = {}
    settled: set[str] = set()
    for _ in range(6):
        told = killed_writer(place)
        began |= {words[1]: int(words[2]) for words in told if len(words) == 3}
        settled |= {words[1] for words in told if words[0] == "settled" and len(words) == 2}
    kept = {row[0]: row[1:] for row in stored(place, "SELECT id, units, reported, settled FROM charges")}
    ((carry,),) = stored(place, "SELECT units FROM carries WHERE user = 'ann'")
    assert began and began.keys() <= kept.keys()
    assert all(kept[identity][1] == reported for identity, reported in began.items())
    assert all(kept[identity][::2] == (7, 1) for identity in settled)
    assert len(kept) - len(began) <= 6  # committed just before the kill, and not told of any more
    assert sum(row[0] for row in kept.values()) == sum(row[1] for row in kept.values()) + carry


CRASHER = """
import asyncio, os, signal, sys
from dataclasses import replace
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from gwc_assistant.cost import Charge, PostgresLedger, SqliteLedger, new_charge_id

def one():
    return Charge(new_charge_id(), "r", "ann", "ask", "small", 1, 1, 1, None, 5, "miss", False)

def told(charge, reported):
    os.write(1, f"{charge.id} {reported}\\n".encode())

class Dying:
    def __init__(self, at):
        self.left = at

    def statement(self, told):
        if "RESET ALL" in getattr(told, "query", ""):
            return  # of the pool, once the charge is made
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

async def opened(place, dying):
    if not place.startswith("postgresql:"):
        ledger = SqliteLedger(Path(place))
        await ledger.warm_up()
        await ledger._in_thread(lambda: ledger._connection.set_trace_callback(dying.statement))
        return ledger
    ledger = PostgresLedger(place, connections=1)
    await ledger.warm_up()
    async with (await ledger._pool()).acquire() as connection:
        connection._con.add_query_logger(dying.statement)
    return ledger

async def write(place, dying, summing):
    ledger = await opened(place, dying)
    for _ in range(2):
        stream, whole = one(), one()
        told(stream, await ledger.begin(stream))
        await ledger.settle(replace(stream, units=7))
        told(whole, await ledger.charge(whole))
        if summing:
            await ledger.sum_up(4e9)

for moment in range(1, 500):
    if (child := os.fork()) == 0:
        asyncio.run(write(sys.argv[1], Dying(moment), len(sys.argv) > 3))
        os._exit(0)
    if os.waitpid(child, 0)[1] == 0:
        sys.exit()
sys.exit("it never came to its end")
"""


UNTOLD = 8
"""Of the four charges of a process, killed when the commit was under way and when it was made."""


def crashed(place: str, *arguments: str) -> dict[str, int]:
    """What processes told of, of which each was killed at another statement, until one came to its end."""
    command = [sys.executable, "-c", CRASHER, place, str(SERVICES), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    told = {identity: int(units) for identity, units in map(str.split, done.stdout.splitlines())}
    assert len(told) > 20
    return told


@pytest.mark.slow
def test_killed_at_each_statement_in_turn_the_sums_of_all_commits_are_right(place: str) -> None:
    told = crashed(place)
    kept = {row[0]: row[1:] for row in stored(place, "SELECT id, units, reported FROM charges")}
    ((carry,),) = stored(place, "SELECT units FROM carries WHERE user = 'ann'")
    assert {identity: kept[identity][1] for identity in told} == told
    assert sum(row[0] for row in kept.values()) == sum(row[1] for row in kept.values()) + carry
    assert len(kept) - len(told) <= UNTOLD


@pytest.mark.slow
def test_killed_at_each_statement_of_summing_up_no_charge_is_in_both_or_in_neither(place: str) -> None:
    told = crashed(place, "and-sum-up")

    async def work(ledger: Ledger) -> LedgerUsage:
        return await ledger.usage("ann", 0)

    (line,) = with_ledger(place, work).lines
    assert 0 <= line.requests - len(told) <= UNTOLD
    assert line.units in range(5 * line.requests, 7 * line.requests, 2)


def test_a_carry_is_taken_by_one_of_those_who_charge_at_once(place: str) -> None:
    async def work(ledger: Ledger) -> int:
        others = [ledger_at(place) for _ in range(3)]
        for other in others:
            await other.warm_up()
        await ledger.begin(stream := charge(0))
        await ledger.settle(replace(stream, units=1000))
        reported = await asyncio.gather(*(other.charge(charge(1)) for other in others for _ in range(10)))
        for other in others:
            await other.aclose()
        return sum(units or 0 for units in reported)

    assert with_ledger(place, work) == 1030


def test_usage_waits_for_no_other_process_that_writes(tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "ledger", isolation_level=None)

    async def work(ledger: Ledger) -> int:
        await ledger.charge(charge(5))
        other.execute("BEGIN IMMEDIATE")
        return (await ledger.usage("ann", 0)).lines[0].units

    assert with_ledger(str(tmp_path / "ledger"), work) == 5
    other.close()


def test_a_full_disk_is_told_as_one_and_the_next_charge_is_made_once_there_is_room(tmp_path: Path) -> None:
    async def work(ledger: Ledger) -> None:
        assert isinstance(ledger, SqliteLedger)

        def bounded(pages: int) -> None:
            assert ledger._connection is not None
            ledger._connection.execute(f"PRAGMA max_page_count = {pages}")

        await ledger._in_thread(lambda: bounded(1))  # no more than there are
        with pytest.raises(LedgerUnavailableError, match="full"):
            for _ in range(200):
                await ledger.charge(charge(5, user="a-name-that-takes-room" * 20))
        await ledger._in_thread(lambda: bounded(1000))
        assert await ledger.charge(charge(5)) == 5

    with_ledger(str(tmp_path / "ledger"), work)


def test_a_ledger_of_before_there_were_sums_is_taken_over(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "ledger") as db:
        db.execute("CREATE TABLE carries (user TEXT PRIMARY KEY, units INTEGER NOT NULL) WITHOUT ROWID")
        db.execute("INSERT INTO carries VALUES ('ann', 3)")
    db.close()

    async def work(ledger: Ledger) -> None:
        await Retention(ledger, 31, 365).once()
        assert await ledger.charge(charge(1)) == 4

    with_ledger(str(tmp_path / "ledger"), work)


def test_a_server_that_comes_back_is_used_again_and_has_what_was_committed(postgres: Postgres) -> None:
    place = postgres.database()

    async def work(ledger: Ledger) -> None:
        assert await ledger.charge(one := charge(5)) == 5
        await asyncio.to_thread(postgres.kill)
        started = time.monotonic()
        with pytest.raises(LedgerUnavailableError):
            await ledger.charge(charge(5))
        with pytest.raises(LedgerUnavailableError):
            await ledger.writable()
        assert time.monotonic() - started < 20
        await asyncio.to_thread(postgres.start)
        await ledger.writable()
        assert await ledger.charge(one) == 5
        assert await ledger.charge(charge(2)) == 2
        assert (await ledger.usage("ann", 0)).lines[0].units == 7

    with_ledger(place, work, timeout=2)


def test_a_connection_that_breaks_in_between_is_made_anew_and_charges_once(postgres: Postgres) -> None:
    place = postgres.database()
    ends = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'gwc-assistant'"

    async def work(ledger: Ledger) -> None:
        for units in (1, 2, 3):
            assert await ledger.charge(charge(units)) == units
            await asyncio.to_thread(rows, place, ends)
        assert (await ledger.usage("ann", 0)).lines[0].requests == 3

    with_ledger(place, work)


def test_its_password_is_in_no_message(postgres: Postgres, caplog: pytest.LogCaptureFixture) -> None:
    place = postgres.url("there-is-no-such-database")

    async def work() -> None:
        ledger = PostgresLedger(place, timeout=0.1)
        with pytest.raises(LedgerUnavailableError) as raised:
            await ledger.warm_up()
        assert postgres.password not in str(raised.value)
        await ledger.aclose()

    asyncio.run(work())
    assert "does not exist" in caplog.text
    assert postgres.password not in caplog.text


def test_known_prices_overrides_and_unknown_ones(tmp_path: Path) -> None:
    file = tmp_path / "prices.yaml"
    file.write_text("models: {ours: {input_per_million: '1', output_per_million: '10'}}")
    prices = Prices.read(file, Decimal("0.0001"))
    usage = TokenUsage(1000, 100)
    assert prices.usd("ours", "openai", usage) == Decimal("0.002")
    assert prices.usd("gpt-4o-mini", "openai", usage) == Decimal("0.00021")
    assert prices.usd("nobody-knows-it", "openai", usage) is None
    assert prices.usd("gpt-4o-mini", "a provider nobody knows", usage) is None
    assert [prices.units(usd) for usd in (None, Decimal(0), Decimal("0.00001"), Decimal("0.0002"))] == [None, 0, 1, 2]


@pytest.mark.parametrize("text", ["[", "models: {ours: {input_per_million: -1, output_per_million: 1}}", "prices: {}"])
def test_wrong_prices_are_refused_at_the_start(tmp_path: Path, text: str) -> None:
    file = tmp_path / "prices.yaml"
    file.write_text(text)
    with pytest.raises(ValueError, match="no prices can be read"):
        Prices.read(file, Decimal(1))


def test_a_bill_with_one_unknown_part_is_unknown() -> None:
    bill, prices = Bill(), Prices({}, Decimal(1))
    assert bill.usd(prices) == 0
    bill.add("gpt-4o-mini", "openai", TokenUsage(1000, 100))
    bill.add("gpt-4o-mini", "openai", estimated(9, 1))
    assert bill.usage == TokenUsage(1003, 101, estimated=True)
    assert bill.usd(prices) == Decimal("0.00021") + Decimal("0.00000105")
    bill.add("nobody-knows-it", "openai", TokenUsage(1, 1))
    assert bill.usd(prices) is None
