"""The ledger in a SQLite file with a write-ahead log: for one host."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, TypeVar

from gwc_assistant.cost.ledger import (
    AT_ONCE,
    Charge,
    LedgerLine,
    LedgerUnavailableError,
    LedgerUsage,
    Now,
    day_of,
    now,
    reported,
)

log = logging.getLogger(__name__)

T = TypeVar("T")
_BUSY_MS = 5000  # several processes may share the file; each writes for a moment

_SCHEMA = """
CREATE TABLE IF NOT EXISTS charges (
    id TEXT PRIMARY KEY, request_id TEXT NOT NULL, user TEXT NOT NULL, route TEXT NOT NULL, model TEXT NOT NULL,
    made REAL NOT NULL, prompt_characters INTEGER NOT NULL, input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL, nano_usd INTEGER, units INTEGER, reported INTEGER, cache TEXT NOT NULL,
    estimated INTEGER NOT NULL, settled INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS charges_of_user ON charges (user, made);
CREATE INDEX IF NOT EXISTS charges_by_age ON charges (made);
CREATE TABLE IF NOT EXISTS carries (
    user TEXT PRIMARY KEY, units INTEGER NOT NULL, touched REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sums (
    user TEXT NOT NULL, day INTEGER NOT NULL, model TEXT NOT NULL, route TEXT NOT NULL, requests INTEGER NOT NULL,
    cached INTEGER NOT NULL, input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL, nano_usd INTEGER NOT NULL,
    units INTEGER NOT NULL, estimated INTEGER NOT NULL, unknown INTEGER NOT NULL,
    PRIMARY KEY (user, day, model, route)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS sums_by_age ON sums (day);
CREATE TABLE IF NOT EXISTS probes (id INTEGER PRIMARY KEY, made REAL NOT NULL);
"""

_COUNTS = (
    "count(*) AS requests, sum(cache != 'miss') AS cached, sum(input_tokens) AS input_tokens, "
    "sum(output_tokens) AS output_tokens, coalesce(sum(nano_usd), 0) AS nano_usd, coalesce(sum(units), 0) AS units, "
    "sum(estimated) AS estimated, sum(units IS NULL) AS unknown"
)
_ADDED = ("requests", "cached", "input_tokens", "output_tokens", "nano_usd", "units", "estimated", "unknown")
_TOTALS = ", ".join(f"sum({name})" for name in _ADDED)

_SUM_UP = f"""
INSERT INTO sums SELECT user, CAST(made / 86400 AS INTEGER) AS day, model, route, {_COUNTS}
FROM charges WHERE made <= ? GROUP BY user, day, model, route
ON CONFLICT (user, day, model, route) DO UPDATE SET {", ".join(f"{name} = {name} + excluded.{name}" for name in _ADDED)}
"""  # noqa: S608 - constant columns

_USAGE = f"""
SELECT model, route, {_TOTALS} FROM (
    SELECT model, route, {_COUNTS} FROM charges WHERE user = ? AND made >= ? GROUP BY model, route
    UNION ALL SELECT model, route, {", ".join(_ADDED)} FROM sums WHERE user = ? AND day * 86400 >= ?
) GROUP BY model, route ORDER BY model, route
"""  # noqa: S608 - constant columns


class SqliteLedger:
    """One thread writes, so that no commit waits on the event loop and no two of ours meet."""

    def __init__(self, path: Path, now: Now = now) -> None:
        self._path, self._now = path, now
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ledger")
        self._connection: sqlite3.Connection | None = None
        self._failed = False

    async def warm_up(self) -> None:
        await self._in_thread(self._open)

    async def charge(self, charge: Charge) -> int | None:
        return await self._in_thread(lambda: self._record(charge, settled=True))

    async def begin(self, charge: Charge) -> int | None:
        return await self._in_thread(lambda: self._record(charge, settled=False))

    async def settle(self, charge: Charge) -> bool:
        return await self._in_thread(lambda: self._settle(charge))

    async def usage(self, user: str, since: float) -> LedgerUsage:
        return await self._in_thread(lambda: self._usage(user, since))

    async def writable(self) -> None:
        if self._failed:
            await self._in_thread(self._probe)

    async def sum_up(self, before: float) -> int:
        return await self._in_thread(lambda: self._sum_up(before))

    async def forget(self, before: float) -> int:
        return await self._in_thread(lambda: self._forget(before))

    async def aclose(self) -> None:
        await self._in_thread(self._close)
        self._thread.shutdown()

    async def _in_thread(self, work: Callable[[], T]) -> T:
        try:
            done = await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except sqlite3.Error as error:
            if not self._failed:
                log.exception("the ledger failed")  # the first time: an outage has many requests
            self._failed = True
            raise LedgerUnavailableError(f"the ledger: {error}") from error
        self._failed = False
        return done

    def _open(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(self._path, isolation_level=None, timeout=_BUSY_MS / 1000)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")  # a commit outlives a power cut, too
        self._connection.executescript(_SCHEMA)
        if "touched" not in {column[1] for column in self._connection.execute("PRAGMA table_info(carries)")}:
            self._connection.execute(f"ALTER TABLE carries ADD COLUMN touched REAL NOT NULL DEFAULT {self._now()}")

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
                return None if known[0] is None else int(known[0])
            told = self._reported(db, charge)
            row = (*charge.identity, self._now(), *charge.amounts, told, charge.cache, charge.estimated, settled)
            db.execute(f"INSERT INTO charges VALUES ({','.join('?' * len(row))})", row)  # noqa: S608 - marks alone
            return told

    def _reported(self, db: sqlite3.Connection, charge: Charge) -> int | None:
        """Takes the carry along."""
        if charge.units is None:
            return None
        told = reported(charge.units, self._carry(db, charge.user))
        self._carry_on(db, charge.user, charge.units - told)
        return told

    def _settle(self, charge: Charge) -> bool:
        with self._transaction() as db:
            query = "SELECT units, reported FROM charges WHERE id = ? AND user = ? AND NOT settled"
            opened = db.execute(query, (charge.id, charge.user)).fetchone()
            if opened is None:
                return False
            guessed, told = opened
            if None not in (guessed, told, charge.units):
                self._carry_on(db, charge.user, (charge.units or 0) - guessed)
            db.execute(
                "UPDATE charges SET model = ?, prompt_characters = ?, input_tokens = ?, output_tokens = ?, "
                "nano_usd = ?, units = coalesce(?, units), estimated = ?, settled = 1 WHERE id = ?",
                (charge.model, *charge.amounts, charge.estimated, charge.id),
            )
            return True

    def _carry(self, db: sqlite3.Connection, user: str) -> int:
        row = db.execute("SELECT units FROM carries WHERE user = ?", (user,)).fetchone()
        return int(row[0]) if row else 0

    def _carry_on(self, db: sqlite3.Connection, user: str, difference: int) -> None:
        if difference:
            db.execute(
                "INSERT INTO carries VALUES (?, ?, ?) ON CONFLICT (user) "
                "DO UPDATE SET units = units + excluded.units, touched = excluded.touched",
                (user, difference, self._now()),
            )

    def _usage(self, user: str, since: float) -> LedgerUsage:
        with self._transaction("DEFERRED") as db:
            rows = db.execute(_USAGE, (user, since, user, since)).fetchall()
            carry = self._carry(db, user)
        return LedgerUsage(since, tuple(LedgerLine.of(*row) for row in rows), carry)

    def _probe(self) -> None:
        """A write of its own: a disk that is full reads well."""
        with self._transaction() as db:
            db.execute("INSERT OR REPLACE INTO probes VALUES (1, ?)", (self._now(),))

    def _sum_up(self, before: float) -> int:
        """One transaction: a charge is in the one table or in the other, whenever the process ends."""
        with self._transaction() as db:
            some = "SELECT made FROM charges WHERE made < ? ORDER BY made LIMIT ?"
            (last,) = db.execute(f"SELECT max(made) FROM ({some})", (before, AT_ONCE)).fetchone()  # noqa: S608 - ours
            if last is None:
                return 0
            db.execute(_SUM_UP, (last,))
            return db.execute("DELETE FROM charges WHERE made <= ?", (last,)).rowcount

    def _forget(self, before: float) -> int:
        """A carry of nothing says as much as none."""
        with self._transaction() as db:
            sums = db.execute("DELETE FROM sums WHERE day < ?", (day_of(before),)).rowcount
            carries = db.execute("DELETE FROM carries WHERE units = 0 OR touched < ?", (before,)).rowcount
            return sums + carries
