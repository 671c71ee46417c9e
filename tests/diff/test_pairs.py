"""What a change means: each pair of fragments in both directions, with exactly the levels that it has."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from compiling import gateway_of
from gwc.diff import diff

PAIRS = yaml.safe_load((Path(__file__).parent / "pairs.yaml").read_text(encoding="utf-8"))
_PLATFORM: dict[str, Any] = {
    "apiVersion": "gwc/v1",
    "kind": "Platform",
    "listen": {"http": "127.0.0.1:8080"},
    "identity": {
        "jwt": {"issuer": "https://id.example.com/", "audience": ["shop"], "jwks": {"file": "keys/jwks.json"}},
        "api_key": {"consumers": [{"name": "ann", "secret": {"env": "KEY_ANN"}}]},
    },
    "rate_limit_store": {"redis": "redis://127.0.0.1:6379"},
}
_SERVICE: dict[str, Any] = {
    "apiVersion": "gwc/v1",
    "kind": "Service",
    "service": "shop",
    "upstream": {"endpoints": [{"url": "http://127.0.0.1:8000"}]},
    "auth": {"any_of": ["jwt"]},
}
_ROUTE: dict[str, Any] = {"name": "items", "path": "/items", "methods": ["GET"]}
_REST = [{"name": "other", "path": "/other", "methods": ["GET", "POST"], "auth": "none"}]


def _merged(base: Any, over: Any) -> Any:
    if not (isinstance(base, Mapping) and isinstance(over, Mapping)):
        return over
    return {**base, **{key: _merged(base.get(key), value) for key, value in over.items()}}


def _policies(where: str, fragment: Any) -> dict[str, Any]:
    """The plain policies with a fragment at its level; null takes a key away."""
    platform, service, route = _PLATFORM, _SERVICE, _ROUTE
    if where == "platform":
        platform = _merged(platform, fragment)
    elif where == "service":
        service = _merged(service, fragment)
    else:
        route = _merged(route, fragment)
    routes = service.get("routes") or [_without_null(route), *_REST]
    return {"platform": _without_null(platform), "shop": {**_without_null(service), "routes": routes}}


def _without_null(data: Any) -> Any:
    if isinstance(data, Mapping):
        return {key: _without_null(value) for key, value in data.items() if value is not None}
    return data


def _levels(pair: Mapping[str, Any], old: str, new: str) -> list[str]:
    before, after = (gateway_of(_policies(pair["at"], pair[side])) for side in (old, new))
    return sorted(f"{change.level} {change.field}" for change in diff(before, after))


@pytest.mark.parametrize("pair", PAIRS, ids=[pair["name"] for pair in PAIRS])
def test_a_change_and_its_reverse(pair: Mapping[str, Any]) -> None:
    forward = _levels(pair, "old", "new"), _levels(pair, "new", "old")
    assert forward == (sorted(pair["forward"]), sorted(pair["back"]))
