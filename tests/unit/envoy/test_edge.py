"""HTTPS, CORS and what the log's script makes of an answer; what they do live is for the scenarios to show."""

from __future__ import annotations

import re
from typing import Any

import pytest
from lupa import luajit21

from gwc_envoy.xds import script
from unit.envoy.policies import gateway, route
from unit.envoy.test_emit import manager, named, routes

_TLS = {"certificate": {"file": "/etc/gwc/tls.crt"}, "key": {"secret": {"env": "TLS_KEY"}}, "redirect": True}


def redirect(port: int, *hosts: str) -> dict[str, Any]:
    listen = {"http": "127.0.0.1:18080", "https": {"port": f"127.0.0.1:{port}", **_TLS}, "admin": "127.0.0.1:19901"}
    given = gateway({"service": "a", "hosts": list(hosts)} if hosts else {"service": "a"}, listen=listen)
    (host,) = manager(given)["route_config"]["virtual_hosts"]
    known, unknown = host["routes"]
    assert unknown["direct_response"] == {"status": 400}
    found: dict[str, Any] = known
    return found


def test_the_usual_port_is_not_named() -> None:
    assert "port_redirect" not in redirect(443)["redirect"]
    assert redirect(8443)["redirect"]["port_redirect"] == 8443


@pytest.mark.parametrize(
    ("hosts", "asked", "known"),
    [
        ((), "anybody.example.com", True),
        ((), "[::1]", True),
        ((), "a..b", False),
        ((), "a/b", False),
        ((), "", False),
        (("api.example.com",), "API.example.com.", True),
        (("api.example.com",), "apixexample.com", False),
        (("api.example.com",), "api.example.com.evil.test", False),
    ],
)
def test_only_hosts_that_somebody_serves_are_redirected(hosts: tuple[str, ...], asked: str, known: bool) -> None:
    (authority,) = redirect(8443, *hosts)["match"]["headers"]
    assert bool(re.fullmatch(authority["string_match"]["safe_regex"]["regex"], asked)) is known


def test_a_preflight_reaches_nobody() -> None:
    cors = {"origins": ["https://app.example.com"], "credentials": True}
    given = gateway({"service": "a", "routes": [route(methods=("GET", "OPTIONS"), cors=cors)]})
    assert [entry["name"] for entry in routes(given)][2:5] == ["a/r", "foreign-origin", "a/r"]
    preflight = named(given, "a/r")[0]
    assert preflight["route"]["cluster_header"] == "x-gwc-nowhere"
    origin = next(h for h in preflight["match"]["headers"] if h["name"] == "origin" and "string_match" in h)
    pattern = origin["string_match"]["safe_regex"]["regex"]
    assert re.fullmatch(pattern, "https://app.example.com")
    assert not re.fullmatch(pattern, "https://appxexample.com")


_HANDLE = """
return function(headers, notes, now)
  local function set(_, namespace, name, value) notes[name] = value end
  local metadata = {set = set, get = function() return notes end}
  return {
    timestampString = function() return now end,
    headers = function() return {get = function(_, name) if headers[name] ~= nil then return headers[name] end end} end,
    streamInfo = function() return {dynamicMetadata = function() return metadata end} end,
  }
end
"""
"""As Envoy has it: to ask for a header that is not there returns nothing at all, which is not nil to every function."""


@pytest.mark.parametrize(
    ("headers", "noted"),
    [
        ({":status": "200"}, {"upstream_ms": 7}),
        ({":status": "200", "x-gwc-attempts": "3"}, {"upstream_ms": 7, "attempts": 3}),
        ({":status": "503"}, {"upstream_ms": 7, "problem": "unavailable"}),
        ({":status": "503", "content-type": "Application/Problem+JSON ; a=b"}, {"upstream_ms": 7}),
        ({":status": "499", "x-gwc-cause": "timeout"}, {"upstream_ms": 7, "problem": "timeout"}),
        (
            {":status": "503", "x-gwc-limited-by": "breaker", "x-gwc-attempts": "1", "x-gwc-problem": "circuit-open"},
            {"limited_by": "breaker", "attempts": 0, "problem": "circuit-open"},
        ),
    ],
)
def test_what_the_log_notes_of_an_answer(headers: dict[str, str], noted: dict[str, object]) -> None:
    lua = luajit21.LuaRuntime()
    lua.execute("EnvoyTimestampResolution = {}\n" + script("attempt.lua"))
    notes = lua.table_from({"asked": 1_000_000})
    lua.globals().envoy_on_response(lua.execute(_HANDLE)(lua.table_from(headers), notes, "1007900"))
    assert {name: value for name, value in dict(notes).items() if name != "asked"} == noted


_READING = """
return function(notes)
  local read = 0  -- bodies; what was handed out before one is out of scope behind it
  local function scoped(fields)
    local since = read
    return setmetatable({}, {__index = function(_, name)
      assert(read == since, "object used outside of proper scope")
      return fields[name]
    end})
  end
  local function set(_, _, name, value) notes[name] = value end
  local function of_route(_, name) return ({forwards = true, bytes = 10, cost = 3})[name] end
  return {
    timestampString = function() return "1000000" end,
    metadata = function() return scoped({get = of_route}) end,
    body = function() read = read + 1 return {length = function() return 5 end} end,
    streamInfo = function()
      return scoped({
        protocol = function() return "HTTP/2" end,
        dynamicMetadata = function() return scoped({set = set, get = function() return nil end}) end,
      })
    end,
  }
end
"""


def test_the_log_s_notes_outlive_the_reading_of_a_body() -> None:
    lua = luajit21.LuaRuntime()
    settings = "EnvoyTimestampResolution, SPENDING, SHADOWS = {}, true, true\n"
    lua.execute(settings + script("attempt.lua").replace("--@SETTINGS@", ""))
    notes = lua.table_from({})
    lua.globals().envoy_on_request(lua.execute(_READING)(notes))
    assert dict(notes) == {"asked": 1_000_000, "cost": 3}
