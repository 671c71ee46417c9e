"""Every kind of promise is counted, and exercised by what shows it and by nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from compiling import gateway_of
from gwc.testing.coverage import coverage
from gwc.testing.seen import Received, Seen
from testing.trying import PLATFORM, SHOP

ROUTES = [
    {
        "name": "all", "path": "/a", "methods": ["GET"], "auth": {"any_of": ["jwt"], "scopes": ["read"]},
        "cache": {"ttl": "1m", "scope": "user", "stale": {"if_error": "1h"}},
        "limits": [{"per": "user", "rate": "1/s"}, {"per": "user", "rate": "2/s", "mode": "shadow"}],
    },
]  # fmt: skip
UPSTREAM = {"endpoints": [{"url": "http://127.0.0.1:1"}], "concurrency": 9, "breaker": {"failures": 2, "open": "5s"}}
POLICIES: dict[str, Any] = {
    "platform": {**PLATFORM, "limits": [{"per": "ip", "rate": "9/s"}], "concurrency": 99},
    "shop": {
        **SHOP, "routes": ROUTES, "upstream": UPSTREAM, "limits": [{"per": "ip", "rate": "5/s"}],
        "budget": {"per": "user", "units": "9/hour"},
    },
}  # fmt: skip
SHOWN = {
    "limit platform/0": {"status": 429, "limited_by": "platform/0"},
    "guard concurrency of platform": {"status": 503, "limited_by": "concurrency"},
    "route all": {"status": 200, "received": [Received("GET", "/a", ())]},
    "limit route/shop/all/0": {"status": 429, "limited_by": "route/shop/all/0"},
    "limit route/shop/all/1": {"status": 429, "problem": "rate-limited", "shadowed_by": ("route/shop/all/1",)},
    "auth all": {"status": 401, "problem": "unauthorized"},
    "scopes all": {"status": 403, "problem": "forbidden"},
    "cache all": {"status": 200, "headers": (("X-Cache", "HIT"),)},
    "stale all": {"status": 200, "headers": (("X-Cache", "STALE"),)},
    "limit service/shop/0": {"status": 429, "limited_by": "service/shop/0"},
    "guard budget": {"status": 429, "limited_by": "budget"},
    "guard concurrency": {"status": 503, "limited_by": "upstream.concurrency"},
    "guard breaker": {"status": 503, "limited_by": "breaker"},
}


def names(covered: bool, *seen: Seen) -> list[str]:
    found = coverage(gateway_of(POLICIES), seen)
    platform = {("guard", "concurrency"): " of platform"}
    return [
        f"{item.kind} {item.name}{platform.get((item.kind, item.name), '') if item.owner == 'platform' else ''}"
        for item, hit in zip(found.items, found.covered, strict=True)
        if hit is covered
    ]


def test_nothing_is_exercised_by_nothing() -> None:
    assert sorted(names(False)) == sorted(SHOWN)
    assert coverage(gateway_of(POLICIES), []).percent == 0.0


@pytest.mark.parametrize("what", SHOWN)
def test_each_promise_by_what_shows_it(what: str) -> None:
    also = {"cache all": ["route all"], "stale all": ["route all"]}.get(what, [])
    assert sorted(names(True, Seen(service="shop", route="all", **SHOWN[what]))) == sorted([what, *also])


def test_another_service_shows_nothing() -> None:
    seen = [Seen(service="other", route="all", **said) for said in SHOWN.values()]
    assert set(names(True, *seen)) == {
        "limit platform/0", "guard concurrency of platform", "limit route/shop/all/0", "limit route/shop/all/1",
        "limit service/shop/0",
    }  # fmt: skip


def test_every_line_of_what_is_missing_is_one_of_a_policy() -> None:
    assert all(
        item.span.file.endswith(".yaml") and item.span.line > 0 for item in coverage(gateway_of(POLICIES), []).items
    )
