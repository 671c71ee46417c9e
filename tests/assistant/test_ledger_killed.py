"""The ledger of a process that is killed, at any moment and at each statement: it has what it told of, and once."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time

import pytest

from assistant.ledgers import stored, with_ledger
from assistant.running import SERVICES
from gwc_assistant.cost import Ledger, LedgerUsage

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
