"""Keeps the ledger from growing for ever: old charges become sums of a day, and old sums are forgotten."""

from __future__ import annotations

import asyncio
import logging

from gwc_assistant.cost.ledger import DAY, Ledger, LedgerUnavailableError, Now, now

log = logging.getLogger(__name__)

_EVERY = 3600.0  # seconds


class Retention:
    """`charges` and `sums` are in days. Several processes may do this to one ledger at the same time."""

    def __init__(self, ledger: Ledger, charges: int, sums: int, now: Now = now) -> None:
        self._ledger, self._charges, self._sums, self._now = ledger, charges, sums, now
        self._task: asyncio.Task[None] | None = None

    async def warm_up(self) -> None:
        """Waits for nothing: it is done beside the requests, a little at a time."""
        self._task = asyncio.create_task(self._for_ever())

    async def aclose(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def once(self) -> int:
        """Whole days alone: a sum is of all of its day. Says how many charges became sums; raises as ledgers do."""
        today = self._now() // DAY
        total = 0
        while done := await self._ledger.sum_up((today - self._charges) * DAY):
            total += done
        await self._ledger.forget((today - self._sums) * DAY)
        return total

    async def _for_ever(self) -> None:
        while True:
            try:
                if total := await self.once():
                    log.info("charges became sums", extra={"charges": total})
            except LedgerUnavailableError:
                log.warning("old charges are still there: the ledger is away")
            await asyncio.sleep(_EVERY)
