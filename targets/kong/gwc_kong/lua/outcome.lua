-- What became of a request: the facts that log, metrics and spans tell.

local M = {}

-- Seconds that the service was waited for, over all tries; nil without any. Both clocks are rounded, each its own way.
local function waited(attempts, whole)
  if attempts == 0 then
    return nil
  end
  local sum = 0
  for seconds in string.gmatch(ngx.var.upstream_response_time or "", "[%d.]+") do
    sum = sum + tonumber(seconds)
  end
  return math.min(sum, whole)
end

-- 0 where the client left before there was an answer.
local function status()
  local found = ngx.status
  return found ~= 499 and found >= 100 and found <= 599 and found or 0
end

-- Bytes of the body that the client was sent: less than nginx counts, which adds the framing of chunks.
local function bytes(state)
  local counted = tonumber(ngx.var.body_bytes_sent) or 0
  return state.upgrading and ngx.status == 101 and counted or math.min(counted, state.bytes or 0)
end

local function cost(state, route)
  return route and route.budget and (state.cost or 0) or nil
end

function M.of(state)
  local route, attempts = state.asked or state.route, state.attempts or 0
  local seconds = tonumber(ngx.var.request_time) or 0
  return {
    began = ngx.req.start_time(), seconds = seconds, waited = waited(attempts, seconds), status = status(), bytes = bytes(state),
    service = route and route.service or "", route = route and route.name or "",
    attempts = attempts, cost = cost(state, route), cache = state.cached or "", limited_by = state.limited_by or "",
    shadowed_by = state.shadowed or {}, problem = state.problem or "",
  }
end

return M
