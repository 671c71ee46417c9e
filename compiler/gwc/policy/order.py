"""Which direction of a field is tighter, read from the models where the field is declared."""

from __future__ import annotations

from functools import cache

from pydantic import BaseModel

from gwc.policy.cache import CachePolicy, StalePolicy
from gwc.policy.limits import BudgetPolicy, LimitPolicy
from gwc.policy.platform import PlatformPolicy
from gwc.policy.retries import RetriesPolicy
from gwc.policy.service import RoutePolicy
from gwc.policy.timeouts import TimeoutsPolicy
from gwc.policy.types import Tighter
from gwc.policy.upstream import BreakerPolicy, UpstreamPolicy

_MODELS: dict[str, type[BaseModel]] = {
    "timeouts": TimeoutsPolicy,
    "retries": RetriesPolicy,
    "limits": LimitPolicy,
    "budget": BudgetPolicy,
    "upstream.breaker": BreakerPolicy,
    "upstream": UpstreamPolicy,
    "cache.stale": StalePolicy,
    "cache": CachePolicy,
    "platform": PlatformPolicy,
    "": RoutePolicy,
}


@cache
def tighter(field: str) -> Tighter:
    """Of a field as a policy spells it, `timeouts.request`. Raises KeyError for one without an order."""
    section, _, name = field.rpartition(".")
    for mark in _MODELS[section].model_fields[name].metadata:
        if isinstance(mark, Tighter):
            return mark
    raise KeyError(f"{field} has no order")
