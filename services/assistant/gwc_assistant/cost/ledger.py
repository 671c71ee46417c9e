"""Every charge: committed before the gateway is told, or it did not happen. Which database keeps them is a setting.

What the gateway was told and what was used may differ, because a stream's headers leave before its cost is known. The
difference is the user's carry, and goes onto that user's next charge. For every user, at every commit:
units used = units reported + carry, over the charges that were reported. So nothing is charged twice or forgotten.

Charges are kept one by one for a while, then as sums of a day, a user, a model and a route, which in their turn are
forgotten: a ledger does not grow for ever.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from gwc_assistant.protocols import Lifecycle

Now = Callable[[], float]
"""Seconds since 1970, by the clock of the wall."""

NANO = Decimal("1e-9")
DAY = 86_400
AT_ONCE = 500
"""Charges that are summed up in one transaction: others want to write, too."""


class LedgerUnavailableError(Exception):
    """It cannot be written or read at the moment. The database's own exception is the cause, and in the log."""

    retry_after = 5.0


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

    @property
    def identity(self) -> tuple[str, ...]:
        return self.id, self.request_id, self.user, self.route, self.model

    @property
    def amounts(self) -> tuple[int | None, ...]:
        """Prompt characters, tokens in and out, billionths of a dollar, units."""
        nano = None if self.usd is None else int((self.usd / NANO).to_integral_value())
        return self.prompt_characters, self.input_tokens, self.output_tokens, nano, self.units


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

    @classmethod
    def of(cls, model: str, route: str, *counts: int) -> LedgerLine:
        """`counts` in the order of the fields, with billionths of a dollar."""
        requests, cached, sent, got, nano, units, guessed, unknown = counts
        return cls(model, route, requests, cached, sent, got, nano * NANO, units, guessed, unknown)


@dataclass(frozen=True, slots=True)
class LedgerUsage:
    """`carry` units are not yet in the gateway's budget: negative where it was told too much."""

    since: float
    lines: tuple[LedgerLine, ...]
    carry: int


class Ledger(Lifecycle, Protocol):
    """Several processes may write into one. All of its methods raise LedgerUnavailableError."""

    async def charge(self, charge: Charge) -> int | None:
        """The units to report, the user's carry included; None where the price is unknown. Once for each id."""

    async def begin(self, charge: Charge) -> int | None:
        """As `charge`, with an estimate that `settle` corrects. Without that the estimate stays."""

    async def settle(self, charge: Charge) -> bool:
        """Replaces the estimate of the same id, once; false where there is none that is open."""

    async def usage(self, user: str, since: float) -> LedgerUsage:
        """Of charges made since then. Days that are kept as sums count where they began since then."""

    async def writable(self) -> None:
        """Asked before a model is: what it answers has to be charged. Costs nothing while all goes well."""

    async def sum_up(self, before: float) -> int:
        """Makes sums of some of the charges that are older, and says of how many; 0 when none is left."""

    async def forget(self, before: float) -> int:
        """Takes away sums of days that began before, and carries that did not change since; says how many."""


def reported(units: int, carry: int) -> int:
    """What the gateway is told: never below nothing; what is left of a credit waits for the next charge."""
    return max(0, units + carry)


def day_of(moment: float) -> int:
    """Since 1970, in UTC."""
    return int(moment // DAY)


def now() -> float:
    return time.time()
