"""Every charge, in SQLite with a write-ahead log: committed before the gateway is told, or it did not happen.

What the gateway was told and what was used may differ, because a stream's headers leave before its cost is known. The
difference is the user's carry, and goes onto that user's next charge. For every user, at every commit:
units used = units reported + carry, over the charges that were reported. So nothing is charged twice or forgotten.
"""

from __future__ import annotations

import asyncio
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Literal, TypeVar

T = TypeVar("T")
NANO = Decimal("1e-9")
_BUSY_MS = 5000  # several processes may share the file; each writes for a moment

_SCHEMA = """
CREATE TABLE IF NOT EXISTS charges (
    id TEXT PRIMARY KEY, request_id TEXT NOT NULL, user TEXT NOT NULL, route TEXT NOT NULL, model TEXT NOT NULL,
    made REAL NOT NULL, prompt_characters INTEGER NOT NULL, input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL, nano_usd INTEGER, units INTEGER, reported INTEGER, cache TEXT NOT NULL,
    estimated INTEGER NOT NULL, settled INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS charges_of_user ON charges (user, made);
CREATE TABLE IF NOT EXISTS carries (user TEXT PRIMARY KEY, units INTEGER NOT NULL) WITHOUT ROWID;
"""


def new_charge_id() -> str:
    """Made here and told to nobody before: an id that a client could choose could be used up by one."""
    return secrets.token_hex(16)


@dataclass(frozen=True, slots=True)
class Charge:
    """`usd` and `units` are None where the price is unknown. `cache` is the layer that the answer came from."""

    id: str
    request_id: str
    user: str
    route: str
    model: str
    prompt_characters: int
    input_tokens: int
    output_tokens: int
    usd: Decimal | None
    units: int | None
    cache: str
    estimated: bool


@dataclass(frozen=True, slots=True)
class LedgerLine:
    """Charges of one model and route together. `unknown` of them have no price, and are not in `usd` and `units`."""

    model: str
    route: str
    requests: int
    cached: int
    input_tokens: int
    output_tokens: int
    usd: Decimal
    units: int
    estimated: int
    unknown: int


@dataclass(frozen=True, slots=True)
class LedgerUsage:
    """`carry` units are not yet in the gateway's budget: negative where it was told too much."""

    since: float
    lines: tuple[LedgerLine, ...]
    carry: int


class Ledger:
    """One thread writes, so that no commit waits on the event loop and no two of ours meet."""

    def __init__(self, path: Path, now: Callable[[], float] = time.time) -> None:
        self._path, self._now = path, now
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ledger")
        self._connection: sqlite3.Connection | None = None

    async def warm_up(self) -> None:
        await self._in_thread(self._open)

    async def charge(self, charge: Charge) -> int | None:
        """The units to report, the user's carry included; None where the price is unknown. Once for each id."""
        return await self._in_thread(lambda: self._record(charge, settled=True))

    async def begin(self, charge: Charge) -> int | None:
        """As `charge`, with an estimate that `settle` corrects. Without that the estimate stays."""
        return await self._in_thread(lambda: self._record(charge, settled=False))

    async def settle(self, charge: Charge) -> bool:
        """Replaces the estimate of the same id, once; false where there is none that is open."""
        return await self._in_thread(lambda: self._settle(charge))

    async def usage(self, user: str, since: float) -> LedgerUsage:
        return await self._in_thread(lambda: self._usage(user, since))

    async def aclose(self) -> None:
        await self._in_thread(self._close)
        self._thread.shutdown()

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _open(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(self._path, isolation_level=None, timeout=_BUSY_MS / 1000)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")  # a commit outlives a power cut, too
        self._connection.executescript(_SCHEMA)

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @contextmanager
    def _transaction(self, kind: Literal["IMMEDIATE", "DEFERRED"] = "IMMEDIATE") -> Iterator[sqlite3.Connection]:
        """Who writes has the file from the beginning; who only reads sees one moment of it, and waits for nobody."""
        if self._connection is None:
            raise RuntimeError("the ledger is not open")
        self._connection.execute(f"BEGIN {kind}")
        try:
            yield self._connection
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:  # SQLite has rolled back itself where the disk is full
                self._connection.execute("ROLLBACK")
            raise

    def _record(self, charge: Charge, *, settled: bool) -> int | None:
        with self._transaction() as db:
            known = db.execute("SELECT reported FROM charges WHERE id = ?", (charge.id,)).fetchone()
            if known is not None:
                return _integer(known[0])
            reported = self._reported(db, charge)
            row = (
                *_identity(charge),
                self._now(),
                *_amounts(charge),
                reported,
                charge.cache,
                charge.estimated,
                settled,
            )
            db.execute(f"INSERT INTO charges VALUES ({','.join('?' * len(row))})", row)  # noqa: S608 - marks alone
            return reported

    def _reported(self, db: sqlite3.Connection, charge: Charge) -> int | None:
        """Takes the carry along. Never below nothing: what is left of a credit waits for the next charge."""
        if charge.units is None:
            return None
        reported = max(0, charge.units + self._carry(db, charge.user))
        self._carry_on(db, charge.user, charge.units - reported)
        return reported

    def _settle(self, charge: Charge) -> bool:
        with self._transaction() as db:
            query = "SELECT units, reported FROM charges WHERE id = ? AND user = ? AND NOT settled"
            opened = db.execute(query, (charge.id, charge.user)).fetchone()
            if opened is None:
                return False
            guessed, reported = opened
            if None not in (guessed, reported, charge.units):
                self._carry_on(db, charge.user, (charge.units or 0) - guessed)
            db.execute(
                "UPDATE charges SET model = ?, prompt_characters = ?, input_tokens = ?, output_tokens = ?, "
                "nano_usd = ?, units = coalesce(?, units), estimated = ?, settled = 1 WHERE id = ?",
                (charge.model, *_amounts(charge), charge.estimated, charge.id),
            )
            return True

    def _carry(self, db: sqlite3.Connection, user: str) -> int:
        row = db.execute("SELECT units FROM carries WHERE user = ?", (user,)).fetchone()
        return int(row[0]) if row else 0

    def _carry_on(self, db: sqlite3.Connection, user: str, difference: int) -> None:
        if difference:
            statement = (
                "INSERT INTO carries VALUES (?, ?) ON CONFLICT (user) DO UPDATE SET units = units + excluded.units"
            )
            db.execute(statement, (user, difference))

    def _usage(self, user: str, since: float) -> LedgerUsage:
        with self._transaction("DEFERRED") as db:
            rows = db.execute(
                "SELECT model, route, count(*), sum(cache != 'miss'), sum(input_tokens), sum(output_tokens), "
                "coalesce(sum(nano_usd), 0), coalesce(sum(units), 0), sum(estimated), sum(units IS NULL) "
                "FROM charges WHERE user = ? AND made >= ? GROUP BY model, route ORDER BY model, route",
                (user, since),
            ).fetchall()
            carry = self._carry(db, user)
        lines = tuple(_line(*row) for row in rows)
        return LedgerUsage(since, lines, carry)


def _line(model: str, route: str, *counts: int) -> LedgerLine:
    requests, cached, sent, got, nano, units, guessed, unknown = counts
    return LedgerLine(model, route, requests, cached, sent, got, nano * NANO, units, guessed, unknown)


def _identity(charge: Charge) -> tuple[str, ...]:
    return charge.id, charge.request_id, charge.user, charge.route, charge.model


def _amounts(charge: Charge) -> tuple[int | None, ...]:
    nano = None if charge.usd is None else int((charge.usd / NANO).to_integral_value())
    return charge.prompt_characters, charge.input_tokens, charge.output_tokens, nano, charge.units


def _integer(value: object) -> int | None:
    return value if isinstance(value, int) else None
