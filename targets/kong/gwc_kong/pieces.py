"""kong.yml piece by piece: what it says of a service are parts, each made from that service and the platform alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from gwc.ir import Gateway, Service
from gwc.parts import Made, Part, Piece, alone
from gwc_kong.accepting import plugin_accepted, plugin_routes_accepted, route_accepted
from gwc_kong.admin import PROMETHEUS
from gwc_kong.alike import Likeness, service_text
from gwc_kong.bundled import functions, lua_entries
from gwc_kong.document import EVERYWHERE, FORMAT, modules
from gwc_kong.plugin import ServiceConfig, platform_config
from gwc_kong.routing import distinct, distinct_rows
from gwc_kong.services import answered
from gwc_kong.yaml_text import items, text

_CONFIG = " " * 6
"""The indentation of a plugin's configuration."""


def pieces(gateway: Gateway, profile: str) -> Iterator[Piece]:
    yield Made(text(FORMAT), distinct(gateway.services))
    yield Made("services:\n" if _routed(gateway) else "services: []\n")
    yield from _parts("services", _services, gateway)
    own = answered()
    yield Made(f"routes:\n{items([own], '  ')}", route_accepted(own))
    yield Made("plugins:\n")
    yield from _plugin(gateway) if profile == "plugin" else _bundled(gateway)


def _routed(gateway: Gateway) -> bool:
    return any(service.routes for service in gateway.services)


def _parts(section: str, make: Callable[[Gateway], Made], gateway: Gateway) -> Iterator[Part]:
    for service in gateway.services:
        if service.routes:
            yield Part(service.name, section, partial(_alone, make, gateway, service))


def _alone(make: Callable[[Gateway], Made], gateway: Gateway, service: Service) -> Made:
    return make(alone(gateway, service))


def _services(one: Gateway) -> Made:
    (service,) = one.services
    attempts = sorted({route.retries.attempts for route in service.routes})
    return _joined([service_text(service, number) for number in attempts], fit=distinct_rows(service))


def _joined(found: Sequence[Made], *, fit: bool = True) -> Made:
    return Made("".join([made.text for made in found]), fit and all(made.fit for made in found))


def _plugin(gateway: Gateway) -> Iterator[Piece]:
    config = platform_config(gateway, "plugin")
    fit = plugin_accepted({"name": "gwc", "config": {**config, "routes": {}}, **EVERYWHERE})
    rows = "" if _routed(gateway) else " {}"
    yield Made(f'  - name: "gwc"\n    config:\n{text(config, _CONFIG)}{_CONFIG}routes:{rows}\n', fit)
    yield from _parts("plugin", _rows, gateway)
    yield Made(text(EVERYWHERE, "    "))


def _rows(one: Gateway) -> Made:
    (service,) = one.services
    return _joined([*map(Likeness(one, service, _row).text, service.routes)])


def _row(name: str, config: object) -> Made:
    row = {name: config}
    return Made(text(row, _CONFIG + "  "), plugin_routes_accepted(row))


def _bundled(gateway: Gateway) -> Iterator[Piece]:
    """A function is a text, and stands on one line: it is made whole, but not before it is its turn."""
    yield Made('  - name: "pre-function"\n    config:\n')
    for phase, function in functions(_lua_config(gateway), modules()):
        yield Made(f"{_CONFIG}{phase}:\n{items([function], _CONFIG + '  ')}", bool(function))
    yield Made(text(EVERYWHERE, "    "))
    yield Made(items([{**PROMETHEUS, **EVERYWHERE}], "  "), plugin_accepted({**PROMETHEUS, **EVERYWHERE}))


def _lua_config(gateway: Gateway) -> str:
    """`lua_literal` of the whole, without all of it being there before it is text."""
    platform = lua_entries(platform_config(gateway, "bundled"), "  ")
    if not _routed(gateway):
        return f'{{\n{platform}  ["routes"] = {{}},\n}}'
    every = (ServiceConfig(gateway, service, "bundled").rows() for service in gateway.services)
    routes = "".join(lua_entries(dict(rows), "    ") for rows in every)
    return f'{{\n{platform}  ["routes"] = {{\n{routes}  }},\n}}'
