"""Active checks of the plugin under LuaJIT: what an endpoint says counts at once, silence after a while."""

from __future__ import annotations

from typing import Any

import pytest

from unit.kong.luajit import loaded

_SURROUNDINGS = """
line, timers = nil, {}
ngx.ERR, ngx.log = 4, function() end
ngx.worker.id = function() return 0 end
ngx.timer.at = function(_, work, ...) timers[#timers + 1] = { work, ... } return true end
ngx.thread = { spawn = function(work, ...) work(...) end }
ngx.socket = { tcp = function()
  return {
    settimeout = function() end, close = function() end, send = function() return 1 end,
    connect = function() return line ~= nil end, receive = function() return line end,
  }
end }
function round()
  local due = timers
  timers = {}
  for _, timer in ipairs(due) do timer[1](false, unpack(timer, 2)) end
end
route = { service = "s", health = { path = "/readyz", every = 5 }, endpoints = { { host = "h", port = 1 } } }
"""
READY, NOT_READY, SILENT = "HTTP/1.1 200 OK", "HTTP/1.1 503 Service Unavailable", None


def after(*answers: str | None) -> list[bool]:
    """Whether the endpoint is out of use after each check."""
    runtime, health = loaded("health", "counters")
    runtime.execute(_SURROUNDINGS)
    health.start(runtime.eval("{ routes = { route } }"))
    found: list[Any] = []
    for answer in answers:
        runtime.globals().line = answer
        runtime.eval("round")()
        found.append(health.failing(runtime.globals().route, 1))
    return found


@pytest.mark.parametrize(
    ("answers", "out"),
    [
        ((READY, NOT_READY, READY), (False, True, False)),
        ((SILENT, SILENT, SILENT, READY), (False, True, True, False)),
        ((SILENT, READY, SILENT), (False, False, False)),
        ((NOT_READY, SILENT, READY), (True, True, False)),
    ],
)
def test_an_endpoint_is_out_of_use_at_once_when_it_says_so(answers: tuple[str | None], out: tuple[bool]) -> None:
    assert tuple(after(*answers)) == out
