"""What one request has used so far, of each model that it asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from gwc_assistant.cost.prices import Prices
from gwc_assistant.domain import TokenUsage

CHARACTERS_PER_TOKEN = 4
"""An estimate for where a server counts nothing; it is marked as one."""


def estimated(characters_in: int, characters_out: int) -> TokenUsage:
    def tokens(characters: int) -> int:
        return -(-characters // CHARACTERS_PER_TOKEN)

    return TokenUsage(tokens(characters_in), tokens(characters_out), estimated=True)


@dataclass(frozen=True, slots=True)
class Spent:
    model: str
    provider: str
    usage: TokenUsage


@dataclass
class Bill:
    """Grows while the request is served. A model that broke off half way is on it, too: its tokens were made."""

    prompt_characters: int = 0
    spent: list[Spent] = field(default_factory=list)

    def add(self, model: str, provider: str, usage: TokenUsage) -> None:
        self.spent.append(Spent(model, provider, usage))

    @property
    def usage(self) -> TokenUsage:
        return TokenUsage(
            sum(one.usage.input_tokens for one in self.spent),
            sum(one.usage.output_tokens for one in self.spent),
            any(one.usage.estimated for one in self.spent),
        )

    def usd(self, prices: Prices) -> Decimal | None:
        """None as soon as one part of it is unknown."""
        costs = [prices.usd(one.model, one.provider, one.usage) for one in self.spent]
        return None if None in costs else sum((cost for cost in costs if cost is not None), Decimal(0))
