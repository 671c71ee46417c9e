"""The ledger: nothing is charged twice, nothing committed is lost, whatever happens in between."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assistant.ledgers import charge, ledger_at, stored, with_ledger
from assistant.postgres import Postgres, rows
from gwc_assistant.cost import (
    Charge,
    Ledger,
    LedgerUnavailableError,
    LedgerUsage,
    PostgresLedger,
    Retention,
    SqliteLedger,
    new_charge_id,
)


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
