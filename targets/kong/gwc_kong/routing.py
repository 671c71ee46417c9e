"""What the plugin's router is told of a route, and what Kong's own is.

gwc's plugin finds the route of a request and says in a header of its own which of Kong's services that needs: Kong's
router reads that header, and nothing else of the request.
"""

from __future__ import annotations

from collections.abc import Sequence

from gwc.ir import Route, Service

FIELD = "http.headers.x_gwc_service"
"""The plugin's header in Kong's expressions, in which dashes are underscores."""
ANSWERED = "gwc.answered"
"""What the header says where the plugin answers by itself, and the Kong route that takes such requests."""


def row_name(service: Service, route: Route) -> str:
    """Of a route among the plugin's. A service's name has no dots, so the first dot separates."""
    return f"{service.name}.{route.name}"


def kong_name(service: str, attempts: int) -> str:
    """Of the Kong service that a route needs, and of its Kong route.

    A Kong service says how often a failed request is tried again; all else that differs between the routes of a service
    the plugin sets for each request.
    """
    return f"{service}.retries-{attempts}"


def expression(name: str) -> str:
    """Which requests are for the Kong route of this name."""
    return f'{FIELD} == "{name}"'


def distinct(services: Sequence[Service]) -> bool:
    """Whether no two services have the same name, nor one that Kong knows something else by."""
    names = {service.name for service in services}
    return len(names) == len(services) and ANSWERED.partition(".")[0] not in names and not any("." in n for n in names)


def distinct_rows(service: Service) -> bool:
    """Whether no two routes of it have the same name."""
    return len({route.name for route in service.routes}) == len(service.routes)


def host_header(host: str) -> str:
    """As it stands in a Host header."""
    return f"[{host}]" if ":" in host else host
