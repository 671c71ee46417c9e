"""The bundled profile: the plugin's modules inside a global pre-function, because nothing else may be installed.

Kong compiles each function on its own, inside a sandbox without `require`: the modules travel in the functions of the
two phases that can come first, and the others find them in the request's context.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from gwc_kong.sharing import Record, Shared, bare

REQUIRES = ("cjson.safe", "ngx.base64", "resty.openssl.pkey", "resty.openssl.rand")
"""Kong's own modules that the functions need: the sandbox has to name them."""


def functions(literal: str, modules: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Every phase with its function, made when it is asked for: `literal` is the plugin's configuration in Lua."""
    chunks = [f'preload["kong.plugins.gwc.{name}"] = function()\n{text}end\n' for name, text in modules.items()]
    for phase in ("rewrite", "header_filter"):
        yield phase, _function("".join(chunks), literal, phase)
    for phase in ("access", "body_filter", "log"):
        yield phase, _call(phase)


def _function(preload: str, literal: str, phase: str) -> str:
    return (
        "local kongs_require, preload, loaded = require, {}, {}\n"
        "local function require(name)\n"
        "  if not preload[name] then\n"
        "    return kongs_require(name)\n"
        "  end\n"
        "  loaded[name] = loaded[name] or preload[name]()\n"
        "  return loaded[name]\n"
        "end\n"
        f"{preload}"
        'local core = require("kong.plugins.gwc.core")\n'
        f"local conf = {literal}\n"
        f"{_RESOLVE}"
        "return function()\n"
        "  kong.ctx.plugin.core, kong.ctx.plugin.conf = core, conf\n"
        f"  core.{phase}(conf)\n"
        "end\n"
    )


# A function's text takes no vault reference, so the function asks for the value itself, once.
_RESOLVE = """\
if conf.gateway_secret then
  conf.gateway_secret = kong.vault.get(conf.gateway_secret)
end
"""


def _call(phase: str) -> str:
    return f"return function()\n  local own = kong.ctx.plugin\n  own.core.{phase}(own.conf)\nend\n"


def lua_literal(value: object, indent: str = "") -> str:
    """A value in Lua, of which what is shared is made once only."""
    value = bare(value)
    inner = indent + "  "
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return quote(value)
    if isinstance(value, int | float):
        return format(value, "f").rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
    if isinstance(value, Mapping):
        entries = lua_entries(value, inner)
    elif isinstance(value, Sequence):
        entries = "".join([f"{inner}{lua_literal(item, inner)},\n" for item in value])
    else:
        raise TypeError(f"no Lua literal: {type(value).__name__}")
    return f"{{\n{entries}{indent}}}" if entries else "{}"


def lua_entries(mapping: Mapping[str, object], indent: str) -> str:
    """What stands between the braces of a mapping."""
    if type(mapping) is Shared:
        return mapping.known(("Lua", indent), lambda made: lua_entries(made, indent))
    if type(mapping) is Record:
        return "".join([lua_entries(piece, indent) for piece in mapping.pieces])
    return "".join([f"{indent}[{quote(key)}] = {lua_literal(item, indent)},\n" for key, item in mapping.items()])


def quote(text: str) -> str:
    """A Lua string: everything but plain ASCII as decimal escapes of its UTF-8 bytes."""
    if _HARMLESS.match(text):
        return f'"{text}"'
    escaped = (chr(b) if 0x20 <= b <= 0x7E and b not in b'"\\' else f"\\{b:03d}" for b in text.encode())
    return '"' + "".join(escaped) + '"'


_HARMLESS = re.compile(r"[ !#-\[\]-~]*\Z")
"""Printable ASCII without quotes and backslashes."""
