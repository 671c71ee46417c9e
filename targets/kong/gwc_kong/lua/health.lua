-- Active checks of endpoints, made by one worker for all of them. An endpoint that says it is not ready is out of use at
-- once, one that says nothing after the second time in a row; one that passes is back.

local counters = require("kong.plugins.gwc.counters")

local M = {}

local SILENT = 2 -- checks in a row without an answer that put an endpoint out of use
local PATIENCE = 1000 -- milliseconds for one check
local REMEMBERED = 10 -- checks; when nobody checks any more, what was found last does not hold for ever

local generation = 0

local function name(service, endpoint)
  return "unhealthy:" .. service .. "|" .. endpoint.host .. ":" .. endpoint.port
end

function M.failing(route, index)
  return route.health ~= nil and counters.dict():get(name(route.service, route.endpoints[index])) ~= nil
end

-- nil where there is no answer.
local function passes(endpoint, path)
  local socket = ngx.socket.tcp()
  socket:settimeout(PATIENCE)
  if not socket:connect(endpoint.host, endpoint.port) then
    return nil
  end
  local host = endpoint.host .. ":" .. endpoint.port
  local sent = socket:send("GET " .. path .. " HTTP/1.1\r\nHost: " .. host .. "\r\nConnection: close\r\n\r\n")
  local line = sent and socket:receive("*l")
  socket:close()
  if type(line) ~= "string" then
    return nil
  end
  return string.find(line, "^HTTP/1%.[01] 2%d%d") ~= nil
end

local check

local function later(target)
  local ok, err = ngx.timer.at(target.every, check, target)
  if not ok then
    ngx.log(ngx.ERR, "gwc: no more checks of ", target.service, ": ", err)
  end
end

check = function(premature, target)
  if premature or target.generation ~= generation then
    return
  end
  local passed = passes(target.endpoint, target.path)
  target.silent = passed == nil and target.silent + 1 or 0
  if passed ~= nil or target.silent >= SILENT then
    target.failing = not passed
  end
  if target.failing then
    counters.dict():set(target.key, true, target.every * REMEMBERED)
  else
    counters.dict():delete(target.key)
  end
  later(target)
end

local function begin(route, seen)
  for _, endpoint in ipairs(route.endpoints) do
    local key = name(route.service, endpoint)
    if not seen[key] then
      seen[key] = true
      check(false, {
        generation = generation, key = key, service = route.service, endpoint = endpoint,
        path = route.health.path, every = route.health.every, silent = 0, failing = false,
      })
    end
  end
end

-- Checks the endpoints of a configuration, and those of an earlier one no longer.
function M.start(conf)
  generation = generation + 1
  if ngx.worker.id() ~= 0 then
    return
  end
  -- In a timer, because sockets are not at hand where Kong hands over a configuration.
  ngx.timer.at(0, function(premature)
    local seen = {}
    for _, route in pairs(premature and {} or conf.routes) do
      if route.health then
        ngx.thread.spawn(begin, { service = route.service, endpoints = route.endpoints, health = route.health }, seen)
      end
    end
  end)
end

return M
