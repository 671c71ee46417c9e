"""Kong services: one a route, because timeouts, retries and protocol belong to the service in Kong.

The plugin chooses the endpoint. The host of each service is a name that never resolves, so that nothing is reached
when the plugin does not run.
"""

from __future__ import annotations

from gwc.ir import Route, Service
from gwc_kong.routing import KongRoute
from gwc_kong.yaml_text import At, at

_LONGEST = 2147483646  # milliseconds; the bound of Kong's schema
_VERIFY_DEPTH = 5


def milliseconds(seconds: float) -> int:
    return max(1, min(round(seconds * 1000), _LONGEST))


def service_name(service: Service, route: Route) -> str:
    return f"{service.name}.{route.name}"


def kong_services(rows: tuple[KongRoute, ...]) -> list[object]:
    """Services with their routes, in the order of their first match."""
    grouped: dict[str, list[KongRoute]] = {}
    for row in rows:
        if row.source is not None:
            grouped.setdefault(service_name(*row.source), []).append(row)
    return [_service(name, members) for name, members in grouped.items()]


def free_routes(rows: tuple[KongRoute, ...]) -> list[object]:
    """Routes that the plugin answers itself: 405 and 404."""
    return [_route(row) for row in rows if row.source is None]


def _service(name: str, rows: list[KongRoute]) -> At:
    first = rows[0].source
    if first is None:
        raise ValueError(f"{name} has no policy behind it")
    service, route = first
    entity: dict[str, object] = {
        "name": name,
        "host": f"{service.name}.gwc.invalid",
        "port": service.upstream.endpoints[0].address.port,
        "protocol": "http" if service.upstream.tls is None else "https",
        "retries": route.retries.attempts,
        "connect_timeout": milliseconds(route.timeouts.connect),
        "write_timeout": milliseconds(route.timeouts.idle),
        "read_timeout": milliseconds(route.timeouts.idle),
        "tags": ["gwc", service.name],
    }
    if service.upstream.tls is not None:
        entity |= {"tls_verify": True, "tls_verify_depth": _VERIFY_DEPTH}
    return at(route, "path", {**entity, "routes": [_route(row) for row in rows]})


def _route(row: KongRoute) -> dict[str, object]:
    return {
        "name": row.name,
        "expression": row.expression,
        "priority": row.priority,
        "protocols": ["http", "https"],
        "strip_path": False,
        "preserve_host": False,
        "request_buffering": True,
        # Unbuffered, so that every piece of an answer passes the plugin, which ends those that take too long.
        "response_buffering": False,
        "tags": ["gwc"],
    }
