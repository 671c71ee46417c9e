"""kong.yml as one document: what it says, and from where. `pieces` writes the same without ever having all of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from importlib.resources import files

from gwc.derived import per_service
from gwc.ir import Gateway
from gwc_kong.admin import PROMETHEUS
from gwc_kong.bundled import functions, lua_literal
from gwc_kong.plugin import NOT_FOUND_CONFIG, ServiceConfig, path_config, platform_config
from gwc_kong.routing import NOT_FOUND, Ranked, first_matches, ranked
from gwc_kong.services import kong_route, kong_service, not_found, refusal, rows

FORMAT: Mapping[str, object] = {"_format_version": "3.0"}
LUA_MODULES = (
    *("path", "router", "redirect", "body", "ids", "trace", "problem", "outcome", "access_log", "headers"),
    *("counters", "limits", "budget", "flights", "concurrency", "health", "breaker", "auth", "admission"),
    *("cors", "upstream", "cache_key", "cache_rules", "cache_store", "renewal", "cache", "core"),
)
"""In the order of their dependencies."""
EVERYWHERE: Mapping[str, object] = {"protocols": ["http", "https"], "tags": ["gwc"]}
"""Said of each plugin."""


def document(gateway: Gateway, profile: str) -> Mapping[str, object]:
    routes = {**dict(route_configs(gateway, ranked(gateway), profile)), NOT_FOUND: NOT_FOUND_CONFIG}
    config = {**platform_config(gateway, profile), "routes": routes}
    return {
        **FORMAT,
        "services": [
            kong_service(service, route, rows(service, route, matches))
            for service, route, matches in first_matches([*ranked(gateway)])
        ],
        "routes": [*_refusals(gateway), not_found()],
        "plugins": [{"name": "gwc", "config": config, **EVERYWHERE}] if profile == "plugin" else _bundled(config),
    }


def _refusals(gateway: Gateway) -> Iterator[Mapping[str, object]]:
    for path in ranked(gateway):
        first = path.entry.routes[0]
        yield kong_route(*refusal(first.service, first.route, path.host, path.refusal))


def route_configs(gateway: Gateway, paths: Iterable[Ranked], profile: str) -> Iterator[tuple[str, object]]:
    """The plugin's configuration of the rows of these paths, by their names."""
    configs = per_service(lambda service: ServiceConfig(gateway, service, profile))
    for path in paths:
        yield from path_config(path, configs)


def _bundled(config: Mapping[str, object]) -> list[Mapping[str, object]]:
    whole = {phase: [text] for phase, text in functions(lua_literal(config), modules())}
    return [{"name": "pre-function", "config": whole, **EVERYWHERE}, {**PROMETHEUS, **EVERYWHERE}]


def modules() -> dict[str, str]:
    """What the functions of profile bundled bring along."""
    return {name: lua(name) for name in LUA_MODULES}


def lua(name: str) -> str:
    """A module of the plugin as it is shipped."""
    return files("gwc_kong").joinpath("lua", f"{name}.lua").read_text(encoding="utf-8")
