"""The plugin's Lua under a real LuaJIT, with as much of `ngx` as the modules under test need."""

from __future__ import annotations

from typing import Any

from lupa import luajit21

from gwc_kong.emit import lua

_NGX = """
ngx = {
  now = function() return now or 0 end,
  md5 = function(text)
    local sum = 0
    for i = 1, #text do sum = (sum * 31 + string.byte(text, i)) % 4294967296 end
    return string.rep(string.format("%08x", sum), 4)
  end,
}
"""


def module(name: str, *needs: str) -> Any:
    """The module, with those that it requires loaded first."""
    return loaded(name, *needs)[1]


def loaded(name: str, *needs: str) -> tuple[Any, Any]:
    """The runtime, and the module in it."""
    runtime = luajit21.LuaRuntime(unpack_returned_tuples=True, encoding="latin-1")
    runtime.execute(_NGX)
    for needed in (*needs, name):
        load = runtime.eval("function(name, text) package.loaded[name] = assert(loadstring(text, name))() end")
        load(f"kong.plugins.gwc.{needed}", lua(needed))
    return runtime, runtime.eval(f'package.loaded["kong.plugins.gwc.{name}"]')
