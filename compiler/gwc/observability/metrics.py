"""The metric families of every gateway, served natively or through recording rules.

Labels hold names of the policies and few words, never a client's text: there are as many series as the policies have
routes, limits and endpoints. A request that matches nothing has `service=""` and `route=""`. `status` is 1xx to 5xx; a
client that left before an answer began counts as 4xx, for nobody else is to blame. `result` is X-Cache in lower case.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Family:
    """A Prometheus metric family. A histogram's samples have `_bucket`, `_sum` and `_count` appended to its name."""

    name: str
    type: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    help: str


ROUTE = ("service", "route")

REQUESTS = Family(
    "gwc_requests_total", "counter", (*ROUTE, "status"), "Requests that are over, by class of the status."
)
DURATION = Family(
    "gwc_request_duration_seconds", "histogram", ROUTE, "From the start of a request to the end of its answer."
)
REFUSALS = Family(
    "gwc_limit_refusals_total", "counter", (*ROUTE, "limit"), "Requests that a limit, budget, cap or breaker refused."
)
SHADOWED = Family(
    "gwc_limit_shadowed_total", "counter", (*ROUTE, "limit"), "Requests that a limit in shadow mode would have refused."
)
CACHE = Family("gwc_cache_results_total", "counter", (*ROUTE, "result"), "Requests on cached routes, by result.")
BREAKER_OPEN = Family(
    "gwc_breaker_open", "gauge", ("service", "endpoint"), "1 while the breaker keeps traffic from the endpoint."
)
ATTEMPTS = Family("gwc_upstream_attempts_total", "counter", ROUTE, "Tries of requests at a service, first ones too.")
BUDGET_UNITS = Family("gwc_budget_units_total", "counter", ROUTE, "Units taken from budgets, on balance.")

FAMILIES = (REQUESTS, DURATION, REFUSALS, SHADOWED, CACHE, BREAKER_OPEN, ATTEMPTS, BUDGET_UNITS)

DURATION_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the histogram's buckets in seconds; +Inf comes after them. `le` is printed as `bound_text` does."""


def bound_text(bound: float) -> str:
    """A bucket's bound as the label `le` has it: 0.005, 1, 2.5."""
    return f"{bound:g}"


_BY_NAME = {family.name: family for family in FAMILIES}
_NAME = re.compile(r"\bgwc_[a-z_]+")
_STRING = re.compile(r'"(\\.|[^"\\])*"')
_SUFFIX = re.compile(r"_(bucket|sum|count)\Z")


def named_in(expr: str) -> frozenset[Family]:
    """The families that a PromQL expression of ours names. KeyError: a name that is no family's."""
    return frozenset(_BY_NAME[_SUFFIX.sub("", name)] for name in _NAME.findall(_STRING.sub("", expr)))
