"""The plugin's Lua under a real LuaJIT, with as much of `ngx` as the modules under test need."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from lupa import luajit21

from gwc_kong.document import lua

_NGX = """
local function dictionary()
  local values, ends = {}, {}
  local function alive(key)
    if ends[key] and ends[key] <= now then values[key], ends[key] = nil, nil end
    return values[key]
  end
  local dict = {}
  function dict:get(key) return alive(key) end
  function dict:set(key, value, ttl) values[key], ends[key] = value, ttl and now + ttl or nil return true end
  function dict:add(key, value, ttl)
    if alive(key) ~= nil then return false, "exists" end
    return self:set(key, value, ttl)
  end
  function dict:delete(key) values[key], ends[key] = nil, nil end
  function dict:ttl(key) return alive(key) ~= nil and (ends[key] or 0) - now or nil end
  function dict:get_keys()
    local keys = {}
    for key in pairs(values) do keys[#keys + 1] = key end
    return keys
  end
  function dict:incr(key, by, init)
    local value = alive(key) or init
    if not value then return nil, "not found" end
    values[key] = value + by
    return values[key]
  end
  return dict
end
now, headers, pid = 1000000, {}, 100
ngx = {
  shared = {
    gwc = dictionary(), gwc_ip = dictionary(), gwc_user = dictionary(), gwc_header = dictionary(),
    gwc_budget = dictionary(), gwc_cache = dictionary(),
  },
  now = function() return now end,
  time = function() return math.floor(now) end,
  update_time = function() end,
  worker = { pid = function() return pid end },
  timer = { every = function() return true end },
  req = { get_headers = function() return headers end },
  md5 = function(text)
    local sum = 0
    for i = 1, #text do sum = (sum * 31 + string.byte(text, i)) % 4294967296 end
    return string.rep(string.format("%08x", sum), 4)
  end,
}
package.preload["cjson.safe"] = function() -- its texts are readable by itself alone, which is all that is asked of it
  local texts = {}
  return {
    encode = function(value) texts[#texts + 1] = value return "text " .. #texts end,
    decode = function(text) return texts[tonumber(string.match(text, "^text (%d+)$"))] end,
  }
end
"""


def module(name: str, *needs: str) -> Any:
    """The module, with those that it requires loaded first."""
    return loaded(name, *needs)[1]


def loaded(name: str, *needs: str, preload: Mapping[str, str] = MappingProxyType({})) -> tuple[Any, Any]:
    """The runtime, and the module in it. `preload`: the texts of modules that are not the plugin's."""
    runtime = luajit21.LuaRuntime(unpack_returned_tuples=True, encoding="latin-1")
    runtime.execute(_NGX)
    for other, text in preload.items():
        runtime.eval("function(name, text) package.preload[name] = assert(loadstring(text, name)) end")(other, text)
    for needed in (*needs, name):
        load = runtime.eval("function(name, text) package.loaded[name] = assert(loadstring(text, name))() end")
        load(f"kong.plugins.gwc.{needed}", lua(needed))
    return runtime, runtime.eval(f'package.loaded["kong.plugins.gwc.{name}"]')
