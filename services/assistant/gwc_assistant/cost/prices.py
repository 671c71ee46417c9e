"""Prices of tokens: overrides of our own first, then genai-prices' packaged snapshot. Unknown stays unknown."""

from __future__ import annotations

import math
from decimal import Decimal
from pathlib import Path

import yaml
from genai_prices import Usage, calc_price
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gwc_assistant.domain import TokenUsage

MILLION = Decimal(1_000_000)
_FREE = frozenset({"extractive"})


class Price(BaseModel):
    """In US dollars for a million tokens."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    input_per_million: Decimal = Field(ge=0)
    output_per_million: Decimal = Field(ge=0)


class PriceFile(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    models: dict[str, Price]


class Prices:
    """`unit_usd` is what one unit of the gateway's budget is worth."""

    def __init__(self, overrides: dict[str, Price], unit_usd: Decimal) -> None:
        self._overrides, self._unit = overrides, unit_usd

    @classmethod
    def read(cls, path: Path | None, unit_usd: Decimal) -> Prices:
        """Raises ValueError for a file that is no list of prices: wrong prices are worse than none."""
        if path is None:
            return cls({}, unit_usd)
        try:
            listed = PriceFile.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
        except (OSError, yaml.YAMLError, ValidationError) as error:
            raise ValueError(f"no prices can be read: {error}") from error
        return cls(listed.models, unit_usd)

    def usd(self, model: str, provider: str, usage: TokenUsage) -> Decimal | None:
        """None where nobody knows the price, which is not the same as nothing."""
        if model in _FREE:
            return Decimal(0)
        if own := self._overrides.get(model):
            cost = usage.input_tokens * own.input_per_million + usage.output_tokens * own.output_per_million
            return cost / MILLION
        try:
            tokens = Usage(input_tokens=usage.input_tokens, output_tokens=usage.output_tokens)
            return calc_price(tokens, model_ref=model, provider_id=provider).total_price
        except LookupError:
            return None

    def units(self, usd: Decimal | None) -> int | None:
        """Rounded up: what costs anything costs at least one."""
        return None if usd is None else math.ceil(usd / self._unit)
