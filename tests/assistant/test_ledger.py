"""The ledger: nothing is charged twice, nothing committed is lost, whatever happens in between."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gwc_assistant.cost import Bill, Charge, Ledger, Prices, new_charge_id
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


def with_ledger(path: Path, work: Callable[[Ledger], Awaitable[T]]) -> T:
    async def run() -> T:
        ledger = Ledger(path)
        await ledger.warm_up()
        try:
            return await work(ledger)
        finally:
            await ledger.aclose()

    return asyncio.run(run())


def test_one_id_is_charged_once(tmp_path: Path) -> None:
    async def work(ledger: Ledger) -> None:
        one = charge(5)
        assert await ledger.charge(one) == 5
        assert await ledger.charge(replace(one, units=9)) == 5
        assert await ledger.settle(one) is False
        usage = await ledger.usage("ann", 0)
        assert (usage.lines[0].requests, usage.lines[0].units, usage.carry) == (1, 5, 0)

    with_ledger(tmp_path / "ledger", work)


def test_a_settled_difference_goes_onto_the_next_charge_of_that_user_alone(tmp_path: Path) -> None:
    async def work(ledger: Ledger) -> None:
        stream = charge(4)
        assert await ledger.begin(stream) == 4
        assert await ledger.settle(replace(stream, units=10))
        assert await ledger.settle(replace(stream, units=10)) is False
        assert await ledger.charge(charge(1, user="bob")) == 1
        assert await ledger.charge(charge(1)) == 7
        assert await ledger.charge(charge(1)) == 1

    with_ledger(tmp_path / "ledger", work)


def test_a_credit_is_spent_down_and_never_reported_below_nothing(tmp_path: Path) -> None:
    async def work(ledger: Ledger) -> list[int | None]:
        stream = charge(10)
        await ledger.begin(stream)
        await ledger.settle(replace(stream, units=2))
        return [await ledger.charge(charge(3)) for _ in range(4)]

    assert with_ledger(tmp_path / "ledger", work) == [0, 0, 1, 3]


def test_an_unknown_price_carries_nothing(tmp_path: Path) -> None:
    async def work(ledger: Ledger) -> None:
        assert await ledger.charge(charge(None)) is None
        stream = charge(None)
        assert await ledger.begin(stream) is None
        assert await ledger.settle(replace(stream, units=50, usd=Decimal("0.005")))
        usage = await ledger.usage("ann", 0)
        assert (usage.carry, usage.lines[0].unknown, usage.lines[0].units) == (0, 1, 50)

    with_ledger(tmp_path / "ledger", work)


def test_a_stream_whose_end_has_no_price_keeps_its_estimate(tmp_path: Path) -> None:
    async def work(ledger: Ledger) -> None:
        stream = charge(4)
        await ledger.begin(stream)
        await ledger.settle(replace(stream, units=None, usd=None))
        usage = await ledger.usage("ann", 0)
        assert (usage.carry, usage.lines[0].units) == (0, 4)

    with_ledger(tmp_path / "ledger", work)


def test_another_users_stream_cannot_be_settled(tmp_path: Path) -> None:
    async def work(ledger: Ledger) -> None:
        stream = charge(4)
        await ledger.begin(stream)
        assert await ledger.settle(replace(stream, user="bob", units=0)) is False

    with_ledger(tmp_path / "ledger", work)


Step = tuple[str, str, int]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["charge", "begin", "settle", "again"]), st.sampled_from(["ann", "bob"]), st.integers(0, 30)
    ),
    max_size=25,
)


@settings(max_examples=60, deadline=None)
@given(steps=STEPS)
def test_what_was_used_is_what_was_reported_and_the_carry(steps: list[Step]) -> None:
    async def work(ledger: Ledger) -> None:
        used, reported = dict.fromkeys(("ann", "bob"), 0), dict.fromkeys(("ann", "bob"), 0)
        begun: dict[str, list[Charge]] = {"ann": [], "bob": []}
        for action, user, units in steps:
            one = charge(units, user=user)
            if action in ("charge", "begin"):
                reported[user] += await getattr(ledger, action)(one)
                used[user] += units
                begun[user] += [one] if action == "begin" else []
            elif begun[user] and action == "settle":
                first = begun[user].pop(0)
                assert await ledger.settle(replace(first, units=units))
                used[user] += units - (first.units or 0)
            elif begun[user]:
                await ledger.begin(begun[user][0])
            carry = (await ledger.usage(user, 0)).carry
            assert used[user] == reported[user] + carry

    with tempfile.TemporaryDirectory() as directory:
        with_ledger(Path(directory) / "ledger", work)


WRITER = """
import asyncio, sys, tempfile
from dataclasses import replace
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from gwc_assistant.cost import Charge, Ledger, new_charge_id

async def write():
    ledger = Ledger(Path(sys.argv[1]))
    await ledger.warm_up()
    while True:
        one = Charge(new_charge_id(), "r", "ann", "ask", "small", 1, 1, 1, None, 5, "miss", False)
        print("began", one.id, await ledger.begin(one), flush=True)
        await ledger.settle(replace(one, units=7))
        print("settled", one.id, flush=True)

asyncio.run(write())
"""


def test_usage_waits_for_no_other_process_that_writes(tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "ledger", isolation_level=None)

    async def work(ledger: Ledger) -> int:
        await ledger.charge(charge(5))
        other.execute("BEGIN IMMEDIATE")
        return (await ledger.usage("ann", 0)).lines[0].units

    assert with_ledger(tmp_path / "ledger", work) == 5
    other.close()


def test_a_full_disk_is_told_as_one_and_the_next_charge_is_made_once_there_is_room(tmp_path: Path) -> None:
    async def work(ledger: Ledger) -> None:
        def bounded(pages: int) -> None:
            assert ledger._connection is not None
            ledger._connection.execute(f"PRAGMA max_page_count = {pages}")

        await ledger._in_thread(lambda: bounded(1))  # no more than there are
        with pytest.raises(sqlite3.OperationalError, match="full"):
            for _ in range(200):
                await ledger.charge(charge(5, user="a-name-that-takes-room" * 20))
        await ledger._in_thread(lambda: bounded(1000))
        assert await ledger.charge(charge(5)) == 5

    with_ledger(tmp_path / "ledger", work)


def test_killed_at_any_moment_it_has_every_charge_it_told_of_and_none_twice(tmp_path: Path) -> None:
    path, services = tmp_path / "ledger", str(Path(__file__).parents[2] / "services/assistant")
    began: dict[str, int] = {}
    settled: set[str] = set()
    for _ in range(6):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), services], stdout=subprocess.PIPE, text=True, env=dict(os.environ)
        )
        assert process.stdout is not None
        lines = [process.stdout.readline()]
        time.sleep(random.uniform(0, 0.15))
        process.send_signal(signal.SIGKILL)
        lines += process.stdout.read().splitlines()
        process.stdout.close()
        assert process.wait(timeout=10) == -signal.SIGKILL
        told = [line.split() for line in lines if line.strip()]
        began |= {words[1]: int(words[2]) for words in told if len(words) == 3}
        settled |= {words[1] for words in told if words[0] == "settled" and len(words) == 2}
    with sqlite3.connect(path) as db:
        rows = {row[0]: row[1:] for row in db.execute("SELECT id, units, reported, settled FROM charges")}
        carry = db.execute("SELECT units FROM carries WHERE user = 'ann'").fetchone()[0]
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    db.close()
    assert began and began.keys() <= rows.keys()
    assert all(rows[identity][1] == reported for identity, reported in began.items())
    assert all(rows[identity][::2] == (7, 1) for identity in settled)
    assert len(rows) - len(began) <= 6  # committed just before the kill, and not told of any more
    assert sum(row[0] for row in rows.values()) == sum(row[1] for row in rows.values()) + carry


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
