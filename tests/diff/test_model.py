"""Where the model of the gateway refuses more, diff says so: field by field, with requests that feel the difference.

tests/property/test_change.py asks the same of policies that nobody would think of; there most changes are felt by
nobody. Here each pair is, or the test fails.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from compiling import gateway_of
from diff.pairing import policies
from gwc.diff import Level, diff
from gwc.ir import Gateway
from gwc.model import Answer, Model, Request

NOON = 1_795_435_200.0
_BUDGET = {"budget": {"per": "user", "units": "10/hour"}}
_CACHE = {"cache": {"ttl": "1m", "scope": "user"}}


@dataclass(frozen=True, slots=True)
class Felt:
    """The same requests under `loose` and `tight` (fragments at the level `at`): twelve of them, `every` so often."""

    name: str
    at: str
    loose: Mapping[str, Any]
    tight: Mapping[str, Any]
    request: Mapping[str, Any] = field(default_factory=dict)
    answer: Answer = field(default_factory=Answer)
    every: float = 0.0
    within: Mapping[str, Any] = field(default_factory=dict)
    """What the service says on both sides."""


_LIMIT = {"per": "ip", "rate": "10/min", "burst": 5}
_STALE = {"ttl": "1m", "scope": "user", "stale": {"while_revalidate": "1h"}}
FELT = (
    Felt("a host", "service", {"hosts": ["x", "y"]}, {"hosts": ["y"]}),
    Felt("a path", "route", {}, {"path": "/things"}),
    Felt("a method", "route", {"methods": ["GET", "HEAD"]}, {"methods": ["GET"]}, {"method": "HEAD"}),
    Felt("auth", "route", {"auth": "none"}, {}, {"user": ""}),
    Felt("a credential", "route", {"auth": {"any_of": ["jwt", "api_key"]}}, {}, {"credential": "api_key"}),
    Felt("a scope", "route", {}, {"auth": {"scopes": ["read"]}}, {"scopes": frozenset()}),
    Felt("max_body", "service", {"max_body": "2MiB"}, {"max_body": "1MiB"}, {"body": 3 * 2**19}),
    Felt("timeouts", "route", {"timeouts": {"request": "9s"}}, {"timeouts": {"request": "3s"}}, answer=Answer(200, 5)),
    Felt("stream", "route", {"stream": True}, {}, answer=Answer(200, 300)),
    Felt("a limit", "route", {}, {"limits": [_LIMIT]}),
    Felt("a limit of the service", "service", {}, {"limits": [{**_LIMIT, "per": "user"}]}),
    Felt("a limit of the platform", "platform", {}, {"limits": [{**_LIMIT, "per": "service"}]}),
    Felt("burst", "route", {"limits": [_LIMIT]}, {"limits": [{**_LIMIT, "burst": 2}]}),
    Felt("rate", "route", {"limits": [{**_LIMIT, "rate": "60/min"}]}, {"limits": [_LIMIT]}, every=1.0),
    Felt("mode", "route", {"limits": [{**_LIMIT, "mode": "shadow"}]}, {"limits": [_LIMIT]}),
    Felt("a header's limit", "route", {}, {"limits": [{**_LIMIT, "per": {"header": "X-Tenant"}}]}),
    Felt("the cap", "service", {}, {"upstream": {"concurrency": 3}}, answer=Answer(200, 1)),
    Felt("the platform's cap", "platform", {"concurrency": 9}, {"concurrency": 3}, answer=Answer(200, 1)),
    Felt("a budget", "service", {}, _BUDGET),
    Felt("units", "service", _BUDGET, {"budget": {"per": "user", "units": "5/hour"}}),
    Felt("cost", "route", {}, {"cost": 4}, within=_BUDGET),
    Felt("charge", "service", _BUDGET, {"budget": {**_BUDGET["budget"], "charge": "X-C"}}, answer=Answer(200, 0, 5)),
    Felt("a cache", "route", _CACHE, {}, within=_BUDGET),
    Felt("ttl", "route", _CACHE, {"cache": {"ttl": "5s", "scope": "user"}}, every=9.0, within=_BUDGET),
    Felt("stale", "route", {"cache": _STALE}, _CACHE, every=90.0, within=_BUDGET),
)


@pytest.mark.parametrize("felt", FELT, ids=lambda felt: felt.name)
def test_what_refuses_more_is_called_graver_and_the_way_back_loosened(felt: Felt) -> None:
    loose, tight = (gateway_of(policies(felt.at, side, felt.within)) for side in (felt.loose, felt.tight))
    assert _admitted(tight, felt) < _admitted(loose, felt)
    assert _levels(loose, tight) & {Level.BREAKING, Level.TIGHTENED}
    assert _levels(tight, loose) & {Level.LOOSENED, Level.ADDED}


def _levels(old: Gateway, new: Gateway) -> set[Level]:
    return {change.level for change in diff(old, new)}


def _admitted(gateway: Gateway, felt: Felt) -> int:
    model, usual = Model(gateway), {"method": "GET", "host": "x", "path": "/items", "user": "ann", "credential": "jwt"}
    asked = (Request(time=NOON + number * felt.every, **{**usual, **felt.request}) for number in range(12))
    return sum(not model.ask(request, felt.answer).refused for request in asked)
