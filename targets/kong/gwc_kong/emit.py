"""Puts the concerns together: kong.yml, kong.env and, in the plugin profile, the plugin's Lua."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files

from gwc.diagnostics import Span
from gwc.ir import Gateway, Secret
from gwc.target import Artifact, OutputFile
from gwc_kong.admin import PROMETHEUS, status_api
from gwc_kong.auth import secrets as api_keys
from gwc_kong.bundled import functions
from gwc_kong.env import env_file
from gwc_kong.limits import STORE_VARIABLE, store_in_use
from gwc_kong.plugin import SECRET_VARIABLE, plugin_config
from gwc_kong.routing import kong_routes
from gwc_kong.secrets import secret_outputs
from gwc_kong.services import free_routes, kong_services
from gwc_kong.upstream_tls import tls_sources
from gwc_kong.yaml_text import render

LUA_MODULES = (
    *("path", "router", "redirect", "body", "ids", "trace", "problem", "outcome", "access_log", "headers"),
    *("counters", "limits", "budget", "flights", "concurrency", "health", "breaker", "auth", "admission"),
    *("cors", "upstream", "cache_key", "cache_rules", "cache_store", "renewal", "cache", "core"),
)
"""In the order of their dependencies."""
_PLUGIN_FILES = (*LUA_MODULES, "metrics", "exporter", "tls", "redis", "cluster", "purge", "handler", "schema")
_FOLDER = "plugins/kong/plugins/gwc"


def emit(gateway: Gateway, profile: str) -> Artifact:
    output = {"kong.yml": render(lambda: _document(gateway, profile)), "kong.env": env_file(gateway, profile)}
    if profile == "plugin":
        output |= {f"{_FOLDER}/{name}.lua": OutputFile(lua(name), _NO_LINES) for name in _PLUGIN_FILES}
        output[f"{_FOLDER}/status_api.lua"] = status_api(gateway)
        output[f"{_FOLDER}/tls_sources.lua"] = tls_sources(gateway)
    return Artifact("kong", profile, output, secret_outputs(_secrets(gateway, profile)))


_NO_LINES: dict[int, Span] = {}


def _document(gateway: Gateway, profile: str) -> dict[str, object]:
    rows = kong_routes(gateway)
    config = plugin_config(gateway, rows, profile)
    if profile == "plugin":
        plugins: list[dict[str, object]] = [{"name": "gwc", "config": config}]
    else:
        modules = {name: lua(name) for name in LUA_MODULES}
        plugins = [{"name": "pre-function", "config": functions(config, modules)}, PROMETHEUS]
    return {
        "_format_version": "3.0",
        "services": kong_services(rows),
        "routes": free_routes(rows),
        "plugins": [{**plugin, "protocols": ["http", "https"], "tags": ["gwc"]} for plugin in plugins],
    }


def _secrets(gateway: Gateway, profile: str) -> Iterator[tuple[str, Secret]]:
    if gateway.identity.gateway_secret is not None:
        yield SECRET_VARIABLE, gateway.identity.gateway_secret.secret
    yield from api_keys(gateway)
    store = store_in_use(gateway)
    if profile == "plugin" and store is not None and store.password is not None:
        yield STORE_VARIABLE, store.password


def lua(name: str) -> str:
    """A module of the plugin as it is shipped."""
    return files("gwc_kong").joinpath("lua", f"{name}.lua").read_text(encoding="utf-8")
