"""Ledgers of the tests, in SQLite and in PostgreSQL, told apart by their place: a path or a URL."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from assistant.postgres import rows
from gwc_assistant.cost import Charge, Ledger, PostgresLedger, SqliteLedger, new_charge_id

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


def ledger_at(place: str, **told: Any) -> Ledger:
    return PostgresLedger(place, **told) if place.startswith("postgresql:") else SqliteLedger(Path(place), **told)


def with_ledger(place: str, work: Callable[[Ledger], Awaitable[T]], **told: Any) -> T:
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
