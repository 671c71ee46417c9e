"""kong.yml piece by piece: the rows of a service are parts, and what belongs to the platform or to several services is
made anew each time.

A part is made from its service alone and from what `given` says in full: the rows that it has, and their priorities,
which count the rows of all services.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import chain, groupby
from typing import Any

from gwc.ir import Gateway, Route, Service
from gwc.parts import Made, Part, Piece, alone
from gwc.routing import MethodRoute, PathEntry
from gwc_kong.accepting import plugin_accepted, plugin_routes_accepted, route_accepted
from gwc_kong.admin import PROMETHEUS
from gwc_kong.alike import Likeness, refusal_row, service_row
from gwc_kong.bundled import functions, lua_entries
from gwc_kong.document import EVERYWHERE, FORMAT, modules, route_configs
from gwc_kong.plugin import NOT_FOUND_CONFIG, platform_config
from gwc_kong.routing import NOT_FOUND, Ranked, distinct, distinct_rows, first_matches, ranked
from gwc_kong.services import not_found, refusal, rows
from gwc_kong.yaml_text import items, text

_Given = tuple[Any, ...]
"""Plain values, whose repr says all of them."""
_Row = tuple[Service, int, Any]
"""Whose it is; its priority, or its first; and what a part has to be given for it."""
_Make = Callable[[Gateway, _Given], Made]
_CONFIG = " " * 6
"""The indentation of a plugin's configuration."""


def pieces(gateway: Gateway, profile: str) -> Iterator[Piece]:
    paths = [*ranked(gateway)]
    yield Made(text(FORMAT), distinct(gateway.services))
    yield Made("services:\n" if any(service.routes for service in gateway.services) else "services: []\n")
    yield from _parts("services", _services, gateway, _service_rows(paths))
    yield Made("routes:\n")
    yield from _parts("routes", _refusals, gateway, _refusal_rows(paths))
    yield Made(items([not_found()], "  "), route_accepted(not_found()))
    yield Made("plugins:\n")
    yield from _plugin(gateway, paths) if profile == "plugin" else _bundled(gateway, paths)


def _parts(section: str, make: _Make, gateway: Gateway, rows: Iterable[_Row]) -> Iterator[Part]:
    """Neighbouring rows of a service are one part: nothing reaches `make` but that service and what is `given`."""
    for _, run in groupby(rows, key=lambda row: id(row[0])):
        services, priorities, given = zip(*run, strict=True)
        made = partial(_alone, make, gateway, services[0], given)
        yield Part(services[0].name, f"{section}/{priorities[0]}", made, repr(given))


def _alone(make: _Make, gateway: Gateway, service: Service, given: _Given) -> Made:
    return make(alone(gateway, service), given)


def _service_rows(paths: list[Ranked]) -> Iterator[_Row]:
    for service, route, matches in first_matches(paths):
        yield service, matches[0][1], (route.name, matches)


def _services(one: Gateway, given: _Given) -> Made:
    service, routes = _only(one)
    found = [service_row(service, routes[name], rows(service, routes[name], matches)) for name, matches in given]
    return Made("".join([row.text for row in found]), distinct_rows(service) and all(row.fit for row in found))


def _only(one: Gateway) -> tuple[Service, Mapping[str, Route]]:
    (service,) = one.services
    return service, {route.name: route for route in service.routes}


def _refusal_rows(paths: list[Ranked]) -> Iterator[_Row]:
    for path in paths:
        first = path.entry.routes[0]
        yield first.service, path.refusal, (first.route.name, path.host, path.refusal)


def _refusals(one: Gateway, given: _Given) -> Made:
    service, routes = _only(one)
    found = [refusal_row(refusal(service, routes[name], host, priority)) for name, host, priority in given]
    return Made("".join([row.text for row in found]), all(row.fit for row in found))


def _plugin(gateway: Gateway, paths: list[Ranked]) -> Iterator[Piece]:
    config = platform_config(gateway, "plugin")
    fit = plugin_accepted({"name": "gwc", "config": {**config, "routes": {}}, **EVERYWHERE})
    yield Made(f'  - name: "gwc"\n    config:\n{text(config, _CONFIG)}{_CONFIG}routes:\n', fit)
    for lone, run in groupby(paths, key=_lone):
        if lone:
            yield from _parts("plugin", _paths, gateway, map(_path_row, run))
        else:
            yield _configs(route_configs(gateway, run, "plugin"))
    yield _configs([(NOT_FOUND, NOT_FOUND_CONFIG)])
    yield Made(text(EVERYWHERE, "    "))


def _lone(path: Ranked) -> bool:
    """Whether all routes of a path are of one service: only then does what their rows say follow from it alone."""
    first, *others = path.entry.routes
    return all(matched.service is first.service for matched in others)


def _path_row(path: Ranked) -> _Row:
    routes = path.entry.routes
    return routes[0].service, path.priority, (path.host, tuple(m.route.name for m in routes), path.priority)


def _paths(one: Gateway, given: _Given) -> Made:
    service, routes = _only(one)
    entries = [(host, [MethodRoute(service, routes[name]) for name in names], first) for host, names, first in given]
    likeness = Likeness(one, service, _configs)
    paths = [Ranked(host, PathEntry(found[0].route.path, tuple(found)), first) for host, found, first in entries]
    made = [*map(likeness.rows, paths)]
    return Made("".join([path.text for path in made]), all(path.fit for path in made))


def _configs(found: Iterable[tuple[str, object]]) -> Made:
    configs = dict(found)
    return Made(text(configs, _CONFIG + "  "), plugin_routes_accepted(configs))


def _bundled(gateway: Gateway, paths: list[Ranked]) -> Iterator[Piece]:
    """A function is a text, and stands on one line: it is made whole, but not before it is its turn."""
    yield Made('  - name: "pre-function"\n    config:\n')
    for phase, function in functions(_lua_config(gateway, paths), modules()):
        yield Made(f"{_CONFIG}{phase}:\n{items([function], _CONFIG + '  ')}", bool(function))
    yield Made(text(EVERYWHERE, "    "))
    yield Made(items([{**PROMETHEUS, **EVERYWHERE}], "  "), plugin_accepted({**PROMETHEUS, **EVERYWHERE}))


def _lua_config(gateway: Gateway, paths: list[Ranked]) -> str:
    """`lua_literal` of the whole, without all of it being there before it is text."""
    found = chain(route_configs(gateway, paths, "bundled"), [(NOT_FOUND, NOT_FOUND_CONFIG)])
    routes = "".join(lua_entries({name: config}, "    ") for name, config in found)
    platform = lua_entries(platform_config(gateway, "bundled"), "  ")
    return f'{{\n{platform}  ["routes"] = {{\n{routes}  }},\n}}'
