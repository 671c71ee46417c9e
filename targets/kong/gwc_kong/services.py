"""Kong services: one a route, because timeouts, retries and protocol belong to the service in Kong.

The plugin chooses the endpoint. The host of each service is a name that never resolves, so that nothing is reached
when the plugin does not run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gwc.ir import Route, Service
from gwc_kong.routing import NOT_FOUND, Matches, expression, refusal_name, row_name
from gwc_kong.sharing import At, Record, Shared, at

_LONGEST = 2147483646  # milliseconds; the bound of Kong's schema
_VERIFY_DEPTH = 5


def milliseconds(seconds: float) -> int:
    return max(1, min(round(seconds * 1000), _LONGEST))


def service_name(service: Service, route: Route) -> str:
    return f"{service.name}.{route.name}"


def kong_service(service: Service, route: Route, matches: Matches) -> At:
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
    routes = {"routes": list(_routes(service, route, matches))}
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


def _routes(service: Service, route: Route, matches: Matches) -> Iterator[Record]:
    for host, priority in matches:
        yield _route(row_name(service, route, host), expression(host, route.path, route), priority)


def refusal(service: Service, route: Route, host: str | None, priority: int) -> Record:
    """The plugin itself answers the methods that the path of `route` does not serve: 405."""
    return _route(refusal_name(service, route, host), expression(host, route.path, None), priority)


def not_found() -> Record:
    """And whatever no path takes: 404."""
    return _route(NOT_FOUND, 'http.path ^= "/"', 1)


def _route(name: str, expression: str, priority: int) -> Record:
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
