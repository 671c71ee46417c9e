"""Puts the concerns together: kong.yml, kong.env and, in the plugin profile, the plugin's Lua."""

from __future__ import annotations

from collections.abc import Iterator

from gwc.diagnostics import Span
from gwc.ir import Gateway, Secret
from gwc.target import Artifact, Assembled, Lines, Output, OutputFile
from gwc_kong.admin import status_api
from gwc_kong.auth import secrets as api_keys
from gwc_kong.document import LUA_MODULES, document, lua
from gwc_kong.env import env_file
from gwc_kong.limits import STORE_VARIABLE, store_in_use
from gwc_kong.pieces import pieces
from gwc_kong.plugin import SECRET_VARIABLE
from gwc_kong.secrets import secret_outputs
from gwc_kong.upstream_tls import tls_sources
from gwc_kong.yaml_text import spans

_PLUGIN_FILES = (
    *LUA_MODULES,
    *("metrics", "exporter", "tls", "redis", "cluster", "purge", "references", "handler", "schema"),
)
_FOLDER = "plugins/kong/plugins/gwc"


def emit(gateway: Gateway, profile: str) -> Artifact:
    lines = Lines(lambda: spans(document(gateway, profile)))
    declarative = Assembled(lambda: pieces(gateway, profile), lines)
    output: dict[str, Output] = {"kong.yml": declarative, "kong.env": env_file(gateway, profile)}
    if profile == "plugin":
        output |= {f"{_FOLDER}/{name}.lua": OutputFile(lua(name), _NO_LINES) for name in _PLUGIN_FILES}
        output[f"{_FOLDER}/status_api.lua"] = status_api(gateway)
        output[f"{_FOLDER}/tls_sources.lua"] = tls_sources(gateway)
    return Artifact("kong", profile, output, secret_outputs(_secrets(gateway, profile)))


_NO_LINES: dict[int, Span] = {}


def _secrets(gateway: Gateway, profile: str) -> Iterator[tuple[str, Secret]]:
    if gateway.identity.gateway_secret is not None:
        yield SECRET_VARIABLE, gateway.identity.gateway_secret.secret
    yield from api_keys(gateway)
    store = store_in_use(gateway)
    if profile == "plugin" and store is not None and store.password is not None:
        yield STORE_VARIABLE, store.password
