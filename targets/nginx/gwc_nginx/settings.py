"""What the njs modules know of a route, as JSON. Most of it is the same for many routes, and is made once for them.

It is flat: NGINX takes ten microseconds to load an object, and a time that grows with the square of their number, but
hardly any for a text in it. What is null or false is left out.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import replace
from json.encoder import encode_basestring_ascii as quoted
from typing import Any

from gwc.ir import Gateway, PathTemplate, Route, Service
from gwc_nginx import auth, breaker, budget, cache, cors, headers, limits, retries, timeouts
from gwc_nginx.fields import written
from gwc_nginx.sharing import chosen, route_name
from gwc_nginx.values import reader, values

_NEUTRAL: dict[str, Any] = {
    "name": "",
    "description": "",
    "path": PathTemplate("", ()),
    "methods": (),
    "limits": (),
    "cost": 0,
}
"""What a route has for itself. What is made once for many sees it like this, so that it cannot depend on it."""

_others = reader(Route, frozenset((*_NEUTRAL, "auth", "cors", "cache")))

_MOST = 4096
_known: dict[Hashable, tuple[str, str]] = {}

_compact = json.JSONEncoder(separators=(",", ":")).encode


def lines(platform: Gateway, service: Service, places: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    """`places`: for a route of the service, by its name there, where its requests are sent (see places.py)."""
    every = (*platform.limits, *service.limits)
    wider = {known: limits.stages(every, known=known) for known in (True, False)}
    for route, at in zip(chosen(service, places), places.values(), strict=True):
        common, tries = _common(service, route)
        own = {**_stages(wider, route), **budget.of_route(service, route), **_outer(at)}
        own |= {"tries": f"{at['lane']}\t{tries}"} if tries else {}
        yield f"{quoted(route_name(service, route))}: {common[:-1]},{_compact(own)[1:]}"


def _outer(places: Mapping[str, str]) -> dict[str, str]:
    return {kind: place for kind, place in places.items() if kind != "lane"}


def _stages(wider: Mapping[bool, limits.Stages], route: Route) -> dict[str, str]:
    known = route.auth is not None
    return limits.data(wider[known], limits.stages(route.limits, known=known))


def _common(service: Service, route: Route) -> tuple[str, str]:
    """What other routes may say, too: an object, with a brace at its end, and of the tries, where there are any."""
    strip, guarded = len(service.strip), breaker.guarded(service)
    key = (strip, guarded, _others(route), values(route.auth), values(route.cors), values(route.cache))
    found = _known.get(key)
    if found is None:
        if len(_known) >= _MOST:
            _known.clear()
        found = _known[key] = _written(strip, replace(route, **_NEUTRAL), guarded=guarded)
    return found


def _written(strip: int, route: Route, *, guarded: bool) -> tuple[str, str]:
    first, tried = timeouts.first_byte(route), retries.data(route, guarded=guarded)
    told = {
        "strip": strip,
        **headers.response(route),
        "cors": cors.data(route.cors),
        "timeout": timeouts.total(route),
        "firstByte": first,
        **auth.of_route(route),
        "cache": cache.data(route),
    }
    patience = round(route.timeouts.request * 1000) if guarded else None
    tries = "" if tried is None else written({**tried, "firstByte": first, "patience": patience})
    return _compact({name: value for name, value in told.items() if value is not None}), tries
