"""Kong services: one for all routes of a service that are tried again equally often, and one Kong route to each.

The plugin chooses the endpoint and the timeouts. The host of each service is a name that never resolves, so that
nothing is reached when the plugin does not run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gwc.ir import Route, Service
from gwc_kong.routing import ANSWERED, expression, kong_name
from gwc_kong.sharing import Record, Shared

_LONGEST = 2147483646  # milliseconds; the bound of Kong's schema
_VERIFY_DEPTH = 5


def milliseconds(seconds: float) -> int:
    return max(1, min(round(seconds * 1000), _LONGEST))


def kong_services(service: Service) -> Iterator[tuple[Route, Record]]:
    """Each with the Kong route that leads to it, and the first route that needs it."""
    first = {route.retries.attempts: route for route in reversed(service.routes)}
    for attempts, route in sorted(first.items(), key=lambda one: one[0]):
        yield route, kong_service(service, attempts)


def kong_service(service: Service, attempts: int) -> Record:
    name = kong_name(service.name, attempts)
    port, tls = service.upstream.endpoints[0].address.port, service.upstream.tls is not None
    reached = Shared(_reached, service.name, port, tls, attempts)
    return Record({"name": name}, reached, {"routes": [kong_route(name)]})


def _reached(name: str, port: int, tls: bool, retries: int) -> Mapping[str, object]:
    entity: dict[str, object] = {
        "host": f"{name}.gwc.invalid",
        "port": port,
        "protocol": "https" if tls else "http",
        "retries": retries,
        "tags": ["gwc", *({name} - {"gwc"})],  # a set to Kong, which takes no item twice
    }
    return entity | ({"tls_verify": True, "tls_verify_depth": _VERIFY_DEPTH} if tls else {})


def answered() -> Record:
    """The plugin itself answers: 404, 405, 400, preflights, redirects."""
    return kong_route(ANSWERED)


def kong_route(name: str) -> Record:
    return Record({"name": name, "expression": expression(name)}, _FORWARDED)


def _forwarded() -> Mapping[str, object]:
    return {
        "priority": 1,
        "protocols": ["http", "https"],
        "strip_path": False,
        "preserve_host": False,
        "request_buffering": True,
        # Unbuffered, so that every piece of an answer passes the plugin, which ends those that take too long.
        "response_buffering": False,
        "tags": ["gwc"],
    }


_FORWARDED = Shared(_forwarded)
