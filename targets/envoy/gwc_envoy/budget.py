"""The cost guard: units of a user over a whole service in periods of the clock.

Envoy's buckets refill evenly, and a budget must not. So each period has buckets of its own, named by its number, that
start full and are never refilled; those of past periods are given up.
"""

from __future__ import annotations

from itertools import starmap

from gwc.ir import Budget, Gateway, Route, Service
from gwc_envoy.auth import USER_HEADER
from gwc_envoy.limits import DISTINCT, LARGEST_RATE
from gwc_envoy.rows import Rows
from gwc_envoy.xds import Json, extension, set_header

FILTER = "gwc.budget"
PERIOD_HEADER = "x-gwc-period"
"""The number of the current period since the epoch, set by the script of `auth`."""

REFUSED_HEADER = "x-gwc-refused"
STATUS = 402
"""What the filter answers; `errors` knows it by this and makes it a 429."""

_NEVER = f"{366 * 86400}s"


def applies(service: Service, route: Route) -> Budget | None:
    """A budget takes nothing from public routes, nor from those that cost nothing."""
    budget = service.budget
    return budget if budget is not None and not budget.cluster and route.auth is not None and route.cost else None


def metadata(service: Service, route: Route) -> Json:
    """Every route that a budget applies to says whose and how much: without it nothing would be counted."""
    budget = applies(service, route)
    if budget is None:
        return {}
    return {
        FILTER: {"name": service.name, "cost": route.cost, "units": budget.units.tokens, "period": budget.units.period}
    }


def budget_filter(gateway: Gateway) -> Json | None:
    """The cost is only taken if all of it is there."""
    budgets = {s.name: budget for s in gateway.services for r in s.routes if (budget := applies(s, r)) is not None}
    if not budgets:
        return None
    always = {"default_value": {"numerator": 100, "denominator": "HUNDRED"}, "runtime_key": "gwc.none"}
    return extension(
        FILTER,
        "extensions.filters.http.local_ratelimit.v3.LocalRateLimit",
        stat_prefix=FILTER,
        status={"code": STATUS},
        filter_enabled=always,
        filter_enforced=always,
        max_dynamic_descriptors=DISTINCT,
        response_headers_to_add=[set_header(REFUSED_HEADER, "budget")],
        rate_limits=[{"actions": _ACTIONS, "hits_addend": {"format": f"%METADATA(ROUTE:{FILTER}:cost)%"}}],
        descriptors=Rows(FILTER, lambda: starmap(_descriptor, sorted(budgets.items()))),
    )


_ACTIONS: list[Json] = [
    {
        "metadata": {
            "descriptor_key": "budget",
            "metadata_key": {"key": FILTER, "path": [{"key": "name"}]},
            "source": "ROUTE_ENTRY",
        }
    },
    {"request_headers": {"header_name": USER_HEADER, "descriptor_key": "user"}},
    {"request_headers": {"header_name": PERIOD_HEADER, "descriptor_key": "period"}},
]


def _descriptor(name: str, budget: Budget) -> Json:
    bucket = {
        "max_tokens": min(budget.units.tokens, LARGEST_RATE),
        "tokens_per_fill": 1,
        "fill_interval": _NEVER,
    }
    return {"entries": [{"key": "budget", "value": name}, {"key": "user"}, {"key": "period"}], "token_bucket": bucket}
