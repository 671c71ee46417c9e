"""Charges one request: by what it used when that is known, by an estimate while a stream is still running."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from gwc_assistant.context import request_id
from gwc_assistant.cost.bill import Bill, Spent, estimated
from gwc_assistant.cost.ledger import Charge, Ledger, new_charge_id
from gwc_assistant.cost.prices import Prices
from gwc_assistant.domain import TokenUsage
from gwc_assistant.telemetry import Telemetry


@dataclass(frozen=True, slots=True)
class Cost:
    usage: TokenUsage
    usd: Decimal | None
    units: int | None


@dataclass(frozen=True, slots=True)
class Accounts:
    """`expected_output` is the number of tokens that an answer's estimate reckons with."""

    ledger: Ledger
    prices: Prices
    telemetry: Telemetry
    expected_output: int

    def account(self, user: str, route: str) -> Account:
        return Account(self, new_charge_id(), user, route)


@dataclass(slots=True)
class Account:
    """Of one request; its id is made here, so that a client cannot choose one."""

    accounts: Accounts
    id: str
    user: str
    route: str

    def cost(self, bill: Bill) -> Cost:
        usd = bill.usd(self.accounts.prices)
        return Cost(bill.usage, usd, self.accounts.prices.units(usd))

    async def charge(self, bill: Bill, model: str, cache: str) -> int | None:
        """Charges what was used; the units to report, None where the price is unknown."""
        cost = self.cost(bill)
        reported = await self.accounts.ledger.charge(self._charge(cost, bill.prompt_characters, model, cache))
        self._counted(model, cost, reported)
        return reported

    async def begin(self, bill: Bill, model: str, provider: str, cache: str) -> int | None:
        """Charges an estimate, because a stream's headers leave before its cost is known."""
        guess = Bill(bill.prompt_characters, list(bill.spent))
        if provider:
            usage = estimated(bill.prompt_characters, 0)
            output = self.accounts.expected_output
            guess.spent.append(Spent(model, provider, TokenUsage(usage.input_tokens, output, estimated=True)))
        return await self.accounts.ledger.begin(self._charge(self.cost(guess), bill.prompt_characters, model, cache))

    async def settle(self, bill: Bill, model: str, cache: str, reported: int | None) -> Cost:
        """Replaces the estimate; the difference goes onto the user's next charge."""
        cost = self.cost(bill)
        await self.accounts.ledger.settle(self._charge(cost, bill.prompt_characters, model, cache))
        self._counted(model, cost, reported)
        return cost

    def _charge(self, cost: Cost, prompt_characters: int, model: str, cache: str) -> Charge:
        return Charge(
            id=self.id,
            request_id=request_id.get(),
            user=self.user,
            route=self.route,
            model=model,
            prompt_characters=prompt_characters,
            input_tokens=cost.usage.input_tokens,
            output_tokens=cost.usage.output_tokens,
            usd=cost.usd,
            units=cost.units,
            cache=cache,
            estimated=cost.usage.estimated,
        )

    def _counted(self, model: str, cost: Cost, reported: int | None) -> None:
        usd = None if cost.usd is None else float(cost.usd)
        self.accounts.telemetry.charged(model, usd, reported)
