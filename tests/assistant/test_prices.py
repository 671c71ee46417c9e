"""What tokens cost: known prices, our own, and those that nobody knows."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from gwc_assistant.cost import Bill, Prices
from gwc_assistant.cost.bill import estimated
from gwc_assistant.domain import TokenUsage


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
