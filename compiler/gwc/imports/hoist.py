"""What all routes of a service share is written once, on the service."""

from __future__ import annotations

from gwc.imports.draft import Table, plain

_SECTIONS = ("auth", "timeouts", "retries", "max_body", "cors", "headers")


def here_alone(platform: Table) -> None:
    """A gateway whose listeners could not be imported is open to this machine alone."""
    if platform.value("listen.http") is None and platform.value("listen.https.port") is None:
        platform.put("listen.http", "127.0.0.1:8080", platform.span, "this machine alone: no listener was imported")


def hoisted(service: Table) -> None:
    """Moves every section that is the same on all routes."""
    routes = service.rows("routes")
    for section in _SECTIONS:
        found = [route.items.get(section) for route in routes]
        if not found or section in service.items or any(one is None for one in found):
            continue
        first = found[0]
        assert first is not None
        if all(plain(one) == plain(first) for one in found if one is not None):
            service.items[section] = first
            for route in routes:
                del route.items[section]
