"""CORS: preflights have routes of their own, which a filter answers; a script names the origin on every answer."""

from __future__ import annotations

from collections.abc import Iterator

from gwc.derived import per_gateway
from gwc.ir import Cors, Gateway, Service
from gwc.routing import MethodRoute, PathEntry
from gwc_envoy import body, tracing
from gwc_envoy.counting import counting
from gwc_envoy.xds import Json, extension, lua, pattern, script, set_header, typed

FILTER, PREFLIGHT = "gwc.cors", "gwc.preflight"
_NOWHERE = "x-gwc-nowhere"
"""A header that no request has names the cluster of a preflight: should nothing answer it, nobody is reached."""


def metadata(cors: Cors | None) -> Json:
    """What the script knows of a route. `origin` is for every origin, `origins` are the listed ones."""
    if cors is None:
        return {}
    everybody = {"origin": "*"} if cors.origins == ("*",) else {}
    return {FILTER: {"origins": dict.fromkeys(cors.origins, True), "credentials": cors.credentials, **everybody}}


def _preflight_metadata(cors: Cors) -> Json:
    headers = {"headers": ", ".join(cors.headers)} if cors.headers else {}
    answer = {"methods": ", ".join(cors.methods), "max_age": f"{cors.max_age:.0f}", **headers}
    return {FILTER: {**metadata(cors)[FILTER], **answer}}


@per_gateway
def used(gateway: Gateway) -> bool:
    return any(route.cors is not None for service in gateway.services for route in service.routes)


def cors_filter(gateway: Gateway) -> Json | None:
    return lua(FILTER, "cors.lua") if used(gateway) else None


_NOTED = (
    ("origin", "access-control-allow-origin"),
    ("credentials", "access-control-allow-credentials"),
    ("vary", "vary"),
)


def headers_to_add(gateway: Gateway) -> list[Json]:
    """What the script would add, from its notes: for answers that pass no filter. What it has not noted stays out."""
    if not used(gateway):
        return []
    return [set_header(name, f"%DYNAMIC_METADATA({FILTER}:{key})%") for key, name in _NOTED]


def preflight_filter(gateway: Gateway) -> Json | None:
    """Answers on the routes that name its script, and does nothing on any other."""
    if not used(gateway):
        return None
    source = {PREFLIGHT: {"inline_string": script("preflight.lua")}}
    return extension(PREFLIGHT, "extensions.filters.http.lua.v3.Lua", source_codes=source)


def preflights(gateway: Gateway, entry: PathEntry, path: Json) -> Iterator[Json]:
    """One for each route of the path, chosen by the method that the preflight asks about."""
    for found in entry.routes:
        if found.route.cors is not None:
            yield _preflight(gateway, found, found.route.cors, path)


def foreign(entry: PathEntry, path: Json) -> Json | None:
    """What matches the preflights that the routes before it have left: those of other origins."""
    shared = [found.route for found in entry.routes if found.route.cors is not None]
    if not shared:
        return None
    methods = sorted({method for route in shared for method in route.methods})
    about = {"name": _METHOD, "present_match": True} if "OPTIONS" in methods else _is_one_of(_METHOD, methods)
    return {**path, "headers": [*_ASKS, about]}


_METHOD = "access-control-request-method"
_ASKS: list[Json] = [
    {"name": ":method", "string_match": {"exact": "OPTIONS"}},
    {"name": "origin", "present_match": True},
]


def _preflight(gateway: Gateway, found: MethodRoute, cors: Cors, path: Json) -> Json:
    service, route = found.service, found.route
    origin = [] if cors.origins == ("*",) else [_is_one_of("origin", cors.origins)]
    return {
        "name": f"{service.name}/{route.name}",
        "match": {**path, "headers": [*_ASKS, *origin, _is_one_of(_METHOD, route.methods)]},
        "metadata": {"filter_metadata": _notes(gateway, found, cors)},
        "route": _nowhere(gateway, found),
        "typed_per_filter_config": {
            **body.UNREAD,
            PREFLIGHT: typed("extensions.filters.http.lua.v3.LuaPerRoute", name=PREFLIGHT),
        },
    }


def _notes(gateway: Gateway, found: MethodRoute, cors: Cors) -> Json:
    """The same as for the route itself, but for credentials: browsers send none."""
    service, route = found.service, found.route
    return {
        "gwc": names(service, route.name),
        "gwc.auth": {"accepts": "none"},
        **counting(gateway, service, route).notes(None),
        **_preflight_metadata(cors),
    }


def names(service: Service, route: str) -> Json:
    span = tracing.span_suffix(service.name, route)
    return {"service": service.name, "route": route, "owner": service.owner, "span": span}


def _nowhere(gateway: Gateway, found: MethodRoute) -> Json:
    counted = counting(gateway, found.service, found.route).early
    return {
        "cluster_header": _NOWHERE,
        "timeout": "1s",
        "idle_timeout": "1s",
        **({"rate_limits": counted} if counted else {}),
    }


def _is_one_of(name: str, values: tuple[str, ...] | list[str]) -> Json:
    """The header's whole value. Origins and methods are case-sensitive."""
    return {"name": name, "string_match": {"safe_regex": {"regex": "|".join(pattern(value) for value in values)}}}
