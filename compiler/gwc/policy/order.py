"""Which direction of a field is tighter, without the models that declare it: they take longer to import than a thousand
policies take to compare. tests/unit/policy/test_order.py holds this table against them, field by field.
"""

from __future__ import annotations

from enum import Enum


class Tighter(Enum):
    """The order of a field: which direction protects more. Its model is marked with it, for bounds and diff."""

    LOWER = "lower"
    HIGHER = "higher"


_ORDERS = {
    "timeouts.connect": Tighter.LOWER,
    "timeouts.request": Tighter.LOWER,
    "timeouts.idle": Tighter.LOWER,
    "retries.attempts": Tighter.LOWER,
    "retries.per_try": Tighter.LOWER,
    "retries.budget": Tighter.LOWER,
    "limits.rate": Tighter.LOWER,
    "limits.burst": Tighter.LOWER,
    "budget.units": Tighter.LOWER,
    "upstream.breaker.failures": Tighter.LOWER,
    "upstream.breaker.open": Tighter.HIGHER,
    "upstream.concurrency": Tighter.LOWER,
    "cache.ttl": Tighter.LOWER,
    "cache.negative_ttl": Tighter.LOWER,
    "cache.stale.if_error": Tighter.LOWER,
    "cache.stale.while_revalidate": Tighter.LOWER,
    "platform.concurrency": Tighter.LOWER,
    "cost": Tighter.HIGHER,
    "max_body": Tighter.LOWER,
}


def tighter(field: str) -> Tighter:
    """Of a field as a policy spells it, `timeouts.request`. Raises KeyError for one without an order."""
    return _ORDERS[field]
