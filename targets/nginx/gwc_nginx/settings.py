"""What the njs modules know of a route, in the words of fields.py. Most of it is the same for many routes, and is made
once for them."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import replace
from json.encoder import encode_basestring_ascii as quoted
from typing import Any

from gwc.ir import Gateway, PathTemplate, Route, Service
from gwc_nginx import auth, breaker, budget, cache, cors, headers, limits, retries, timeouts
from gwc_nginx.fields import OWN, SHARED, TRIED, written
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


def lines(platform: Gateway, service: Service, places: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    """`places`: for a route of the service, by its name there, where its requests are sent (see places.py)."""
    every = (*platform.limits, *service.limits)
    wider = {known: limits.stages(every, known=known) for known in (True, False)}
    for route, at in zip(chosen(service, places), places.values(), strict=True):
        admitted, tried = _common(service, route)
        own = written(OWN, {**_stages(wider, route), **budget.of_route(service, route), **at})
        text = f"{own}\t{admitted}" + (f"\n{at['lane']}\t{tried}" if tried else "")
        yield f"{quoted(route_name(service, route))}: {quoted(text)}"


def _stages(wider: Mapping[bool, limits.Stages], route: Route) -> dict[str, str]:
    known = route.auth is not None
    return limits.data(wider[known], limits.stages(route.limits, known=known))


def _common(service: Service, route: Route) -> tuple[str, str]:
    """The fields of both lines that other routes may have, too; '' where there are no tries."""
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
    own = {"strip": strip, "tries": tried is not None, "timeout": timeouts.total(route), "firstByte": first}
    admitted = written(SHARED, {**own, **_grouped(route)})
    patience = round(route.timeouts.request * 1000) if guarded else None
    return admitted, "" if tried is None else written(TRIED, {**tried, "firstByte": first, "patience": patience})


def _grouped(route: Route) -> dict[str, Any]:
    groups: dict[str, Mapping[str, Any] | None] = {
        "auth": auth.of_route(route),
        "response": headers.response(route),
        "cors": cors.data(route.cors),
        "cache": cache.data(route),
    }
    return {f"{group}.{name}": value for group, told in groups.items() for name, value in (told or {}).items()}
