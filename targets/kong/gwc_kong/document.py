"""kong.yml as one document: what it says, and from where. `pieces` writes the same without ever having all of it."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files

from gwc.ir import Gateway
from gwc_kong.admin import PROMETHEUS
from gwc_kong.bundled import functions, lua_literal
from gwc_kong.plugin import ServiceConfig, platform_config
from gwc_kong.services import answered, kong_services
from gwc_kong.sharing import at

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
    routes = {
        name: row for service in gateway.services for name, row in ServiceConfig(gateway, service, profile).rows()
    }
    config = {**platform_config(gateway, profile), "routes": routes}
    return {
        **FORMAT,
        "services": [at(route, "path", one) for service in gateway.services for route, one in kong_services(service)],
        "routes": [answered()],
        "plugins": [{"name": "gwc", "config": config, **EVERYWHERE}] if profile == "plugin" else _bundled(config),
    }


def _bundled(config: Mapping[str, object]) -> list[Mapping[str, object]]:
    whole = {phase: [text] for phase, text in functions(lua_literal(config), modules())}
    return [{"name": "pre-function", "config": whole, **EVERYWHERE}, {**PROMETHEUS, **EVERYWHERE}]


def modules() -> dict[str, str]:
    """What the functions of profile bundled bring along."""
    return {name: lua(name) for name in LUA_MODULES}


def lua(name: str) -> str:
    """A module of the plugin as it is shipped."""
    return files("gwc_kong").joinpath("lua", f"{name}.lua").read_text(encoding="utf-8")
