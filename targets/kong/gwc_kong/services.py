"""Kong services: one a route, because timeouts, retries and protocol belong to the service in Kong.

The plugin chooses the endpoint. The host of each service is a name that never resolves, so that nothing is reached
when the plugin does not run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import starmap

from gwc.ir import Route, Service
from gwc_kong.routing import NOT_FOUND, Matches, expression, refusal_name, row_name
from gwc_kong.sharing import At, Record, Shared, at

_LONGEST = 2147483646  # milliseconds; the bound of Kong's schema
_VERIFY_DEPTH = 5


def milliseconds(seconds: float) -> int:
    return max(1, min(round(seconds * 1000), _LONGEST))


def service_name(service: Service, route: Route) -> str:
    return f"{service.name}.{route.name}"


Row = tuple[str, str, int]
"""Of the router: its name, its expression and its priority."""


def rows(service: Service, route: Route, matches: Matches) -> list[Row]:
    """Those that lead to a route."""
    return [
        (row_name(service, route, host), expression(host, route.path, route), priority) for host, priority in matches
    ]


def kong_service(service: Service, route: Route, rows: Iterable[Row]) -> At:
    """A service with the routes that lead to it."""
    reached = Shared(
        _reached,
        service.name,
        service.upstream.endpoints[0].address.port,
        service.upstream.tls is not None,
        route.retries.attempts,
        route.timeouts.connect,
        route.timeouts.idle,
    )
    routes = {"routes": list(starmap(kong_route, rows))}
    return at(route, "path", Record({"name": service_name(service, route)}, reached, routes))


def _reached(name: str, port: int, tls: bool, retries: int, connect: float, idle: float) -> Mapping[str, object]:
    entity: dict[str, object] = {
        "host": f"{name}.gwc.invalid",
        "port": port,
        "protocol": "https" if tls else "http",
        "retries": retries,
        "connect_timeout": milliseconds(connect),
        "write_timeout": milliseconds(idle),
        "read_timeout": milliseconds(idle),
        "tags": ["gwc", name],
    }
    return entity | ({"tls_verify": True, "tls_verify_depth": _VERIFY_DEPTH} if tls else {})


def refusal(service: Service, route: Route, host: str | None, priority: int) -> Row:
    """The plugin itself answers the methods that the path of `route` does not serve: 405."""
    return refusal_name(service, route, host), expression(host, route.path, None), priority


def not_found() -> Record:
    """And whatever no path takes: 404."""
    return kong_route(NOT_FOUND, 'http.path ^= "/"', 1)


def kong_route(name: str, expression: str, priority: int) -> Record:
    return Record({"name": name, "expression": expression, "priority": priority}, _FORWARDED)


def _forwarded() -> Mapping[str, object]:
    return {
        "protocols": ["http", "https"],
        "strip_path": False,
        "preserve_host": False,
        "request_buffering": True,
        # Unbuffered, so that every piece of an answer passes the plugin, which ends those that take too long.
        "response_buffering": False,
        "tags": ["gwc"],
    }


_FORWARDED = Shared(_forwarded)
