"""A plain platform and a plain service, with a fragment merged in at one level: what the tests of diff compare."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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


def policies(where: str, fragment: Any, within: Any = None) -> dict[str, Any]:
    """The plain policies with a fragment at its level, and `within` in the service; null takes a key away."""
    platform, service, route = _PLATFORM, _merged(_SERVICE, within or {}), _ROUTE
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
