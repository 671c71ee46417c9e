"""The ledger in PostgreSQL: for several hosts, or for whoever keeps it there anyway. Needs asyncpg (`gwc[postgres]`).

A row of `carries` is a user's lock: whoever charges takes it first, so that charges of one user are made one after
another and those of different users beside each other. A connection that breaks in the middle of a commit leaves open
whether it was made; then everything is done again, and an id that is there already is not charged again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

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

if TYPE_CHECKING:
    from asyncpg import Connection, Pool

log = logging.getLogger(__name__)

T = TypeVar("T")
_TRIES = 2
_LOCK = 0x6777635F  # of those who make the tables at the same time

_SCHEMA = """
CREATE TABLE IF NOT EXISTS assistant_charges (
    id text PRIMARY KEY, request_id text NOT NULL, caller text NOT NULL, route text NOT NULL, model text NOT NULL,
    made double precision NOT NULL, prompt_characters bigint NOT NULL, input_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL, nano_usd bigint, units bigint, reported bigint, cache text NOT NULL,
    estimated boolean NOT NULL, settled boolean NOT NULL
);
CREATE INDEX IF NOT EXISTS assistant_charges_of_caller ON assistant_charges (caller, made);
CREATE INDEX IF NOT EXISTS assistant_charges_by_age ON assistant_charges (made);
CREATE TABLE IF NOT EXISTS assistant_carries (
    caller text PRIMARY KEY, units bigint NOT NULL, touched double precision NOT NULL
);
CREATE TABLE IF NOT EXISTS assistant_sums (
    caller text NOT NULL, day integer NOT NULL, model text NOT NULL, route text NOT NULL, requests bigint NOT NULL,
    cached bigint NOT NULL, input_tokens bigint NOT NULL, output_tokens bigint NOT NULL, nano_usd bigint NOT NULL,
    units bigint NOT NULL, estimated bigint NOT NULL, unknown bigint NOT NULL,
    PRIMARY KEY (caller, day, model, route)
);
CREATE INDEX IF NOT EXISTS assistant_sums_by_age ON assistant_sums (day);
CREATE TABLE IF NOT EXISTS assistant_probes (id integer PRIMARY KEY, made double precision NOT NULL);
"""

_COUNTS = (
    "count(*) AS requests, count(*) FILTER (WHERE cache <> 'miss') AS cached, sum(input_tokens) AS input_tokens, "
    "sum(output_tokens) AS output_tokens, coalesce(sum(nano_usd), 0) AS nano_usd, coalesce(sum(units), 0) AS units, "
    "count(*) FILTER (WHERE estimated) AS estimated, count(*) FILTER (WHERE units IS NULL) AS unknown"
)
_ADDED = ("requests", "cached", "input_tokens", "output_tokens", "nano_usd", "units", "estimated", "unknown")
_TOTALS = ", ".join(f"sum({name})::bigint" for name in _ADDED)
_ADDITIONS = ", ".join(f"{name} = s.{name} + excluded.{name}" for name in _ADDED)

_LOCKED = """
INSERT INTO assistant_carries VALUES ($1, 0, $2)
ON CONFLICT (caller) DO UPDATE SET touched = excluded.touched RETURNING units
"""
_SETTLED = """
UPDATE assistant_charges SET model = $2, prompt_characters = $3, input_tokens = $4, output_tokens = $5, nano_usd = $6,
units = coalesce($7, units), estimated = $8, settled = true WHERE id = $1
"""
_SUM_UP = f"""
WITH old AS (
    DELETE FROM assistant_charges WHERE id IN (
        SELECT id FROM assistant_charges WHERE made < $1 ORDER BY made LIMIT $2 FOR UPDATE SKIP LOCKED
    ) RETURNING *
), added AS (
    INSERT INTO assistant_sums AS s
    SELECT caller, floor(made / 86400)::integer AS day, model, route, {_COUNTS} FROM old GROUP BY 1, 2, 3, 4
    ON CONFLICT (caller, day, model, route) DO UPDATE SET {_ADDITIONS}
) SELECT count(*) FROM old
"""  # noqa: S608 - constant columns
_USAGE = f"""
SELECT model, route, {_TOTALS} FROM (
    SELECT model, route, {_COUNTS} FROM assistant_charges WHERE caller = $1 AND made >= $2 GROUP BY model, route
    UNION ALL SELECT model, route, {", ".join(_ADDED)} FROM assistant_sums
    WHERE caller = $1 AND day * 86400.0::double precision >= $2
) AS kept GROUP BY model, route ORDER BY model COLLATE "C", route COLLATE "C"
"""  # noqa: S608 - constant columns


class PostgresLedger:
    """At most `connections` of them; `timeout` is in seconds, for connecting, for a statement and for a free one."""

    def __init__(self, url: str, *, connections: int = 4, timeout: float = 5, now: Now = now) -> None:
        """Raises ImportError where asyncpg is not installed."""
        import asyncpg

        own = asyncpg.InterfaceError, asyncpg.InternalClientError  # also of a connection that breaks while it is taken
        self._errors = (asyncpg.PostgresError, *own, OSError, TimeoutError)
        self._create = asyncpg.create_pool
        self._url, self._connections, self._timeout, self._now = url, connections, timeout, now
        self._opened: Pool | None = None
        self._failed = False

    async def warm_up(self) -> None:
        """Waits for a server that is starting, too. Several processes may make the tables at once."""
        for attempt in range(6):
            try:
                return await self._made()
            except LedgerUnavailableError:
                if attempt == 5:
                    raise
                await asyncio.sleep(self._timeout / 2)
        return None

    async def _made(self) -> None:
        async def made(db: Connection) -> None:
            await db.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
            await db.execute(_SCHEMA)

        await self._tried(made)

    async def charge(self, charge: Charge) -> int | None:
        return await self._tried(lambda db: self._record(db, charge, settled=True))

    async def begin(self, charge: Charge) -> int | None:
        return await self._tried(lambda db: self._record(db, charge, settled=False))

    async def settle(self, charge: Charge) -> bool:
        return await self._tried(lambda db: self._settle(db, charge))

    async def usage(self, user: str, since: float) -> LedgerUsage:
        async def read(db: Connection) -> LedgerUsage:
            rows = await db.fetch(_USAGE, user, since)
            carry = await db.fetchval("SELECT units FROM assistant_carries WHERE caller = $1", user)
            return LedgerUsage(since, tuple(LedgerLine.of(*row) for row in rows), carry or 0)

        return await self._tried(read, isolation="repeatable_read")

    async def writable(self) -> None:
        """A write of its own: a server that takes no writes reads well."""
        if self._failed:
            probe = "INSERT INTO assistant_probes VALUES (1, $1) ON CONFLICT (id) DO UPDATE SET made = excluded.made"
            await self._tried(lambda db: db.execute(probe, self._now()))

    async def sum_up(self, before: float) -> int:
        return int(await self._tried(lambda db: db.fetchval(_SUM_UP, before, AT_ONCE)))

    async def forget(self, before: float) -> int:
        async def forgotten(db: Connection) -> int:
            sums = await db.execute("DELETE FROM assistant_sums WHERE day < $1", day_of(before))
            carries = await db.execute("DELETE FROM assistant_carries WHERE units = 0 OR touched < $1", before)
            return sum(int(done.split()[-1]) for done in (sums, carries))

        return await self._tried(forgotten)

    async def aclose(self) -> None:
        if self._opened is not None:
            try:
                await asyncio.wait_for(self._opened.close(), self._timeout)
            except TimeoutError:
                self._opened.terminate()
            self._opened = None

    async def _tried(self, work: Callable[[Connection], Awaitable[T]], isolation: str = "read_committed") -> T:
        """In a transaction, and once more where the first connection was broken."""
        for attempt in range(1, _TRIES + 1):
            try:
                pool = await self._pool()
                async with pool.acquire(timeout=self._timeout) as db, db.transaction(isolation=isolation):
                    done = await work(db)
            except self._errors as error:
                if attempt < _TRIES and not isinstance(error, TimeoutError):
                    continue
                if not self._failed:
                    log.exception("the ledger failed")  # the first time: an outage has many requests
                self._failed = True
                raise LedgerUnavailableError(f"the ledger: {type(error).__name__}") from error
            self._failed = False
            return done
        raise AssertionError("unreachable")

    async def _pool(self) -> Pool:
        if self._opened is None:
            self._opened = self._create(
                self._url,
                min_size=0,
                max_size=self._connections,
                timeout=self._timeout,
                command_timeout=self._timeout,
                server_settings={"application_name": "gwc-assistant"},
            )
            await self._opened
        return self._opened

    async def _record(self, db: Any, charge: Charge, *, settled: bool) -> int | None:
        carry: int = await db.fetchval(_LOCKED, charge.user, self._now())
        known = await db.fetchrow("SELECT reported FROM assistant_charges WHERE id = $1", charge.id)
        if known is not None:
            return None if known[0] is None else int(known[0])
        told = None
        if charge.units is not None:
            told = reported(charge.units, carry)
            await self._carry_on(db, charge.user, charge.units - told)
        row = (*charge.identity, self._now(), *charge.amounts, told, charge.cache, charge.estimated, settled)
        marks = ",".join(f"${number}" for number in range(1, len(row) + 1))
        await db.execute(f"INSERT INTO assistant_charges VALUES ({marks})", *row)  # noqa: S608 - marks alone
        return told

    async def _settle(self, db: Any, charge: Charge) -> bool:
        await db.fetchval(_LOCKED, charge.user, self._now())
        query = "SELECT units, reported FROM assistant_charges WHERE id = $1 AND caller = $2 AND NOT settled"
        opened = await db.fetchrow(query, charge.id, charge.user)
        if opened is None:
            return False
        guessed, told = opened
        if None not in (guessed, told, charge.units):
            await self._carry_on(db, charge.user, (charge.units or 0) - guessed)
        await db.execute(_SETTLED, charge.id, charge.model, *charge.amounts, charge.estimated)
        return True

    async def _carry_on(self, db: Any, user: str, difference: int) -> None:
        if difference:
            change = "UPDATE assistant_carries SET units = units + $2 WHERE caller = $1"
            await db.execute(change, user, difference)
