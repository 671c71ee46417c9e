"""What Kong looks through in each request: only what refers to secrets, and everything is still read as it was."""

from __future__ import annotations

import re
from typing import Any

from gwc_kong.document import lua
from unit.kong.luajit import loaded

_WALK = """
function walked(value)  -- Kong's `recurse_config_refs`
  local tables, found = 1, 0
  for name, inner in pairs(value) do
    if name ~= "$refs" and type(inner) == "table" then
      local more, references = walked(inner)
      tables, found = tables + more, found + references
    end
  end
  for _ in pairs(value["$refs"] or {}) do
    found = found + 1
  end
  return tables, found
end
function configured(services)
  local routes = {}
  for number = 1, services do
    routes["service-" .. number .. ".read"] = { limits = { { id = number } }, headers = {} }
  end
  return {
    gateway_secret = "resolved", ["$refs"] = { gateway_secret = "{vault://env/one}" },
    store = { host = "redis", password = "resolved", ["$refs"] = { password = "{vault://env/two}" } },
    routes = routes, list = { 1, 2 },
  }
end
"""


def _references() -> tuple[Any, Any]:
    runtime, references = loaded("references")
    runtime.execute(_WALK)
    return runtime.globals(), references


def test_what_kong_walks_does_not_grow_with_the_services() -> None:
    lua_globals, references = _references()
    few, many = lua_globals.configured(1), lua_globals.configured(1000)
    before = lua_globals.walked(many)
    for conf in (few, many):
        references.leave(conf)
    assert before == (1 + 1 + 1 + 1 + 4 * 1000, 2)
    assert lua_globals.walked(many) == lua_globals.walked(few) == (2, 2)


def test_everything_is_read_as_before() -> None:
    lua_globals, references = _references()
    conf = lua_globals.configured(3)
    routes, items = conf.routes, list(conf["list"].values())
    references.leave(conf)
    references.leave(conf)  # nothing is lost where it is called once more
    assert (conf.gateway_secret, conf.store.password, list(conf["list"].values())) == ("resolved", "resolved", items)
    assert conf.routes["service-2.read"].limits[1].id == routes["service-2.read"].limits[1].id == 2


def test_a_reference_deep_in_a_table_stays_in_sight() -> None:
    lua_globals, references = _references()
    conf = lua_globals.configured(2)
    conf.routes["service-1.read"].headers["$refs"] = conf["$refs"]
    references.leave(conf)
    assert lua_globals.walked(conf)[1] == 3


def test_the_plugin_does_so_where_it_is_configured() -> None:
    others = re.findall(r'require\("(kong\.plugins\.gwc\.\w+)"\)', lua("handler"))
    anything = "return setmetatable({}, { __index = function() return function() end end })"
    preload = {name: anything for name in others if not name.endswith(".references")}
    runtime, _ = loaded("handler", "references", preload=preload)
    runtime.execute(_WALK)
    walked = runtime.execute("""
        local conf, handler = configured(1000), package.loaded["kong.plugins.gwc.handler"]
        handler:configure({ conf })
        return (walked(conf))
    """)
    assert walked == 2
