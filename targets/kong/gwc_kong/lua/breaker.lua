-- Consecutive failures of an endpoint, and its pause. The same for all workers of this gateway.

local counters = require("kong.plugins.gwc.counters")
local health = require("kong.plugins.gwc.health")

local M = {}

local function name(route, index)
  local endpoint = route.endpoints[index]
  return route.service .. "|" .. endpoint.host .. ":" .. endpoint.port
end

-- Seconds that the endpoint's breaker stays open, or nil.
function M.open(route, index)
  local dict, key = counters.dict(), "open:" .. name(route, index)
  if not route.breaker or not dict:get(key) then
    return nil
  end
  local left = dict:ttl(key)
  return left and left > 0 and left or nil
end

-- Seconds that the endpoint still pauses, or nil. One that fails its checks is asked again after the next of them.
function M.pause(route, index)
  if health.failing(route, index) then
    return route.health.every
  end
  return M.open(route, index)
end

-- Seconds until the first endpoint is back, when all of them pause; else nil.
function M.closed_for(route)
  if not route.breaker and not route.health then
    return nil
  end
  local soonest
  for index in ipairs(route.endpoints) do
    local left = M.pause(route, index)
    if not left then
      return nil
    end
    soonest = math.min(soonest or left, left)
  end
  return soonest
end

-- What became of one try.
function M.report(route, index, failed)
  if not route.breaker or not index then
    return
  end
  local dict, key = counters.dict(), name(route, index)
  if not failed then
    dict:delete("failures:" .. key)
  elseif dict:incr("failures:" .. key, 1, 0) >= route.breaker.failures then
    dict:set("open:" .. key, true, route.breaker.open)
    dict:delete("failures:" .. key)
  end
end

return M
