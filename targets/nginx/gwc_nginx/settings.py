"""What the njs modules know of a route, as JSON. Most of it is the same for many routes, and is made once for them."""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import replace
from json.encoder import encode_basestring_ascii as quoted
from typing import Any

from gwc.ir import Gateway, PathTemplate, Route, Service
from gwc_nginx import auth, breaker, budget, cache, cors, headers, limits, retries, timeouts
from gwc_nginx.sharing import chosen, route_name
from gwc_nginx.values import reader, values

_OWN: dict[str, Any] = {
    "name": "",
    "description": "",
    "path": PathTemplate("", ()),
    "methods": (),
    "limits": (),
    "cost": 0,
}
"""What a route has for itself. What is made once for many sees it like this, so that it cannot depend on it."""

_others = reader(Route, frozenset((*_OWN, "auth", "cors", "cache")))

_MOST = 4096
_known: dict[Hashable, str] = {}

_compact = json.JSONEncoder(separators=(",", ":")).encode


def lines(platform: Gateway, service: Service, locations: Mapping[str, str]) -> Iterator[str]:
    """`locations`: for a route of the service, by its name there, the route whose location it shares."""
    every = (*platform.limits, *service.limits)
    wider = {known: limits.stages(every, known=known) for known in (True, False)}
    for route, location in zip(chosen(service, locations), locations.values(), strict=True):
        own = {**_stages(wider, route), **budget.of_route(service, route), "place": location}
        yield f"{quoted(route_name(service, route))}: {_common(service, route)[:-1]},{_compact(own)[1:]}"


def _stages(wider: Mapping[bool, limits.Stages], route: Route) -> dict[str, str]:
    known = route.auth is not None
    return limits.data(wider[known], limits.stages(route.limits, known=known))


def _common(service: Service, route: Route) -> str:
    """An object, with a brace at its end."""
    strip, guarded = len(service.strip), breaker.guarded(service)
    key = (strip, guarded, _others(route), values(route.auth), values(route.cors), values(route.cache))
    found = _known.get(key)
    if found is None:
        if len(_known) >= _MOST:
            _known.clear()
        found = _known[key] = _compact(_settings(strip, guarded, replace(route, **_OWN)))
    return found


def _settings(strip: int, guarded: bool, route: Route) -> dict[str, Any]:
    return {
        "strip": strip,
        "response": headers.response(route),
        "cors": cors.data(route.cors),
        "timeout": timeouts.total(route),
        "patience": round(route.timeouts.request * 1000),
        "firstByte": timeouts.first_byte(route),
        "retries": retries.data(route, guarded=guarded),
        "auth": auth.of_route(route),
        "cache": cache.data(route),
    }
