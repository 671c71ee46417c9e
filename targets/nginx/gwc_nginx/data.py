"""gwc.json: what the njs modules know of the policies. A line for each of its parts, and for each of the settings."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from json.encoder import encode_basestring_ascii as quoted
from typing import Any

from gwc.ir import Gateway, Service
from gwc.parts import Made, Part, Piece
from gwc_nginx import (
    access_log,
    auth,
    breaker,
    cache,
    errors,
    health,
    https,
    identity,
    routing,
    settings,
    tracing,
    upstream,
)
from gwc_nginx.places import places
from gwc_nginx.sections import platform_of
from gwc_nginx.sharing import route_name, sharing


def pieces(gateway: Gateway) -> Iterator[Piece]:
    yield Made("{\n")
    for key, text in _texts(gateway):
        yield Made(f"{quoted(key)}: {text},\n")
    yield Made('"settings": {\n')
    yield from _settings(gateway)
    yield Made("}\n}\n")


def _texts(gateway: Gateway) -> Iterator[tuple[str, str]]:
    yield from _compact({**errors.data(gateway), **_platform(gateway)})
    yield from _compact(_services(gateway))
    yield from routing.tables(gateway)
    yield from _compact(auth.data(gateway))


def _compact(data: dict[str, Any]) -> Iterator[tuple[str, str]]:
    return ((key, json.dumps(value, separators=(",", ":"))) for key, value in data.items())


def _platform(gateway: Gateway) -> dict[str, Any]:
    secret = gateway.identity.gateway_secret
    return {
        "requestIdHeader": gateway.request_id.header,
        "gatewaySecret": auth.reference(secret.secret) if secret is not None else None,
        "redirect": _redirect(gateway),
        "stripped": {f":{name}": True for name in identity.STRIPPED},
    }


def _redirect(gateway: Gateway) -> dict[str, Any] | None:
    if not https.redirects(gateway):
        return None
    hosts = https.hosts(gateway)
    served = None if hosts is None else " ".join(routing.bracketed(host) for host in hosts)
    return {"port": https.port(gateway), "hosts": served}


def _services(gateway: Gateway) -> dict[str, Any]:
    return {
        "others": upstream.others(gateway),
        "breakers": breaker.data(gateway),
        "health": health.data(gateway),
        "log": access_log.data(gateway),
        "tracing": tracing.data(gateway),
        "cached": cache.names(gateway),
        "same": _same(gateway),
    }


def _same(gateway: Gateway) -> dict[str, str]:
    """By the name of a route, the route that its settings are called after, where it is another."""
    return {f":{name}": first for name, first in sharing(gateway).settings.items() if first != name}


def _settings(gateway: Gateway) -> Iterator[Piece]:
    """Of a service those that no service before it has, and where their locations are, which may be others'."""
    platform, shared, where = platform_of(gateway), sharing(gateway), places(gateway)
    settled = [service for service in gateway.services if shared.settled[service.name]]
    for service in settled:
        routes = shared.settled[service.name]
        rows = [_row(route.name, where.of[route_name(service, route)]) for route in routes]
        given = "\n".join(["last" if service is settled[-1] else "more", *rows])
        yield Part(service.name, "settings", partial(_lines, platform, service, given), given)
    if not settled:
        yield Made("\n")


def _row(name: str, places: Mapping[str, str]) -> str:
    return " ".join([name, *(f"{kind}={place}" for kind, place in places.items())])


def _read(rows: Iterable[str]) -> dict[str, dict[str, str]]:
    """No name holds a space or an equals sign."""
    found = (row.split(" ") for row in rows)
    return {name: dict(place.split("=") for place in places) for name, *places in found}


def _lines(platform: Gateway, service: Service, given: str) -> Made:
    """Each but the last one of all is followed by a comma."""
    position, *rows = given.split("\n")
    text = ",\n".join(settings.lines(platform, service, _read(rows)))
    return Made(text + ("\n" if position == "last" else ",\n"))
