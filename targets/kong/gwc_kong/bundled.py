"""The bundled profile: the plugin's modules inside a global pre-function, because nothing else may be installed.

Kong compiles each function on its own, inside a sandbox without `require`: the modules travel in the functions of the
two phases that can come first, and the others find them in the request's context.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gwc_kong.yaml_text import At

REQUIRES = ("cjson.safe", "ngx.base64", "resty.openssl.pkey", "resty.openssl.rand")
"""Kong's own modules that the functions need: the sandbox has to name them."""


def functions(config: Mapping[str, object], modules: Mapping[str, str]) -> dict[str, object]:
    """The `config` of the pre-function."""
    whole = {phase: [_function(config, modules, phase)] for phase in ("rewrite", "header_filter")}
    light = {phase: [_call(phase)] for phase in ("access", "body_filter", "log")}
    return {**whole, **light}


def _function(config: Mapping[str, object], modules: Mapping[str, str], phase: str) -> str:
    chunks = [f'preload["kong.plugins.gwc.{name}"] = function()\n{text}end\n' for name, text in modules.items()]
    return (
        "local kongs_require, preload, loaded = require, {}, {}\n"
        "local function require(name)\n"
        "  if not preload[name] then\n"
        "    return kongs_require(name)\n"
        "  end\n"
        "  loaded[name] = loaded[name] or preload[name]()\n"
        "  return loaded[name]\n"
        "end\n"
        f"{''.join(chunks)}"
        'local core = require("kong.plugins.gwc.core")\n'
        f"local conf = {_lua(config, '')}\n"
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


def _lua(value: object, indent: str) -> str:
    """A Lua literal."""
    inner = indent + "  "
    if isinstance(value, At):
        return _lua(value.value, indent)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return quote(value)
    if isinstance(value, int | float):
        return format(value, "f").rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
    if isinstance(value, Mapping):
        entries = [f"{inner}[{quote(str(key))}] = {_lua(item, inner)},\n" for key, item in value.items()]
    elif isinstance(value, Sequence):
        entries = [f"{inner}{_lua(item, inner)},\n" for item in value]
    else:
        raise TypeError(f"no Lua literal: {type(value).__name__}")
    return "{\n" + "".join(entries) + indent + "}" if entries else "{}"


def quote(text: str) -> str:
    """A Lua string: everything but plain ASCII as decimal escapes of its UTF-8 bytes."""
    escaped = (chr(b) if 0x20 <= b <= 0x7E and b not in b'"\\' else f"\\{b:03d}" for b in text.encode())
    return '"' + "".join(escaped) + '"'
