"""Small builders for Envoy's configuration: typed messages, durations, and the quoting of every text.

The configuration is plain data in the JSON form of Envoy's v3 API; `emit` prints it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import lru_cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

Json = dict[str, Any]
"""A message of Envoy's API in its JSON form."""

UNLIMITED = 1_000_000_000
"""Stands for "no cap" where Envoy would otherwise apply a cap of its own (1024 requests, 3 retries)."""

SHORTEST = 0.001
"""Seconds; anything less would be cut off to zero, which switches a timeout off."""


def typed(message: str, **fields: Any) -> Json:
    """A `google.protobuf.Any` of the message `envoy.<message>`."""
    return {"@type": f"type.googleapis.com/envoy.{message}", **fields}


def extension(name: str, message: str, **fields: Any) -> Json:
    """A named extension, such as a filter, with its typed configuration."""
    return {"name": name, "typed_config": typed(message, **fields)}


def lua(name: str, file: str, settings: Mapping[str, str] = MappingProxyType({})) -> Json:
    """A filter that runs one of this package's scripts, with the placeholders of `settings` filled in.

    No script changes what a route is chosen by: the one that was found stays, and is not looked for again.
    """
    code = {"inline_string": script(file, settings)}
    return extension(name, "extensions.filters.http.lua.v3.Lua", default_source_code=code, clear_route_cache=False)


def script(file: str, settings: Mapping[str, str] = MappingProxyType({})) -> str:
    source = files("gwc_envoy").joinpath(file).read_text(encoding="utf-8")
    for placeholder, text in settings.items():
        source = source.replace(placeholder, text)
    return source


def lua_text(text: str) -> str:
    """A Lua string. Policies admit ASCII without control characters here, which JSON and Lua write alike."""
    return json.dumps(text)


def lua_list(names: Iterable[str]) -> str:
    return "{" + ", ".join(lua_text(name) for name in names) + "}"


def lua_set(names: Iterable[str]) -> str:
    return "{" + ", ".join(f"[{lua_text(name)}] = true" for name in names) + "}"


@lru_cache(maxsize=1024)
def duration(seconds: float) -> str:
    """The JSON form of a protobuf duration. Envoy's timers count milliseconds, and none of them means no bound."""
    return f"{Decimal(str(max(round(seconds, 6), SHORTEST))).normalize():f}s"


def literal(text: str) -> str:
    """A text that no formatter interprets: `%` would otherwise start a command."""
    return text.replace("%", "%%")


@lru_cache(maxsize=1024)
def pattern(text: str) -> str:
    """An RE2 pattern that matches `text` alone."""
    return re.escape(text)


def set_header(name: str, value: str) -> Json:
    """Overwrite a header. `value` is a format: pass a policy's text through `literal` first."""
    return {
        "header": {"key": name, "value": value},
        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
    }


def address(host: str, port: int) -> Json:
    return {"socket_address": {"address": host, "port_value": port}}


def cidr(network: str) -> Json:
    """`10.0.0.0/8` as a CidrRange."""
    prefix, _, length = network.partition("/")
    return {"address_prefix": prefix, "prefix_len": int(length)}
