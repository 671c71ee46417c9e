-- Where a request goes, how long each try may take, and whether there is another one.

local breaker = require("kong.plugins.gwc.breaker")
local flights = require("kong.plugins.gwc.flights")

local M = {}

local SAFE = { GET = true, HEAD = true, OPTIONS = true, PUT = true, DELETE = true }
local LIVE, RETRYING = "live:", "retrying:"
-- Below this many retries in flight a budget refuses nothing: a share of little traffic would round to none.
local FREE_RETRIES = 3

local function milliseconds(seconds)
  return math.max(1, math.floor(seconds * 1000))
end

-- Endpoints that do not pause, and preferably those that this request has not tried.
local function candidates(route, state)
  local fresh, open = {}, {}
  for index in ipairs(route.endpoints) do
    if not breaker.pause(route, index) then
      open[#open + 1] = index
      if not state.tried[index] then
        fresh[#fresh + 1] = index
      end
    end
  end
  return #fresh > 0 and fresh or open
end

-- By weight.
local function pick(endpoints, indexes)
  local total = 0
  for _, index in ipairs(indexes) do
    total = total + endpoints[index].weight
  end
  local point = math.random() * total
  for _, index in ipairs(indexes) do
    point = point - endpoints[index].weight
    if point < 0 then
      return index
    end
  end
  return indexes[#indexes]
end

-- nil when every endpoint pauses.
local function choose(route, state)
  local index = pick(route.endpoints, candidates(route, state))
  if not index then
    return nil
  end
  state.tried[index], state.current = true, index
  local endpoint = route.endpoints[index]
  kong.service.set_target(endpoint.host, endpoint.port)
  return endpoint
end

local function host_header(route, endpoint)
  if route.tls then
    return route.tls.sni or endpoint.host -- also the name that is verified
  end
  return endpoint.port == 80 and endpoint.host or endpoint.host .. ":" .. endpoint.port
end

-- Bounds of one try in milliseconds: what the policy says, cut to what is left of the whole request.
local function bounds(route, state)
  local left = state.deadline and state.deadline - ngx.now() or math.huge
  if left <= 0 then
    return nil
  end
  local first_byte = route.idle
  if route.retries.attempts > 0 and route.retries.per_try then
    first_byte = math.min(first_byte, route.retries.per_try)
  end
  return milliseconds(math.min(route.connect, left)), milliseconds(math.min(first_byte, left))
end

-- The nth entry of a variable such as $upstream_header_time: one entry a try.
local function entry(list, number)
  local index = 0
  for value in string.gmatch(list or "", "[^,%s]+") do
    index = index + 1
    if index == number then
      return value
    end
  end
  return "-"
end

-- Why try `number` failed: "connect", "reset", "per_try" or "status", and the status that it stands for.
-- Kong has just noted the status; it keeps $upstream_status from the first time that anybody reads it.
local function failure(number)
  local status = ngx.ctx.balancer_data.tries[number].code or 502
  if entry(ngx.var.upstream_header_time, number) ~= "-" then
    return "status", status
  end
  if entry(ngx.var.upstream_connect_time, number) == "-" then
    return "connect", status
  end
  return status == 504 and "per_try" or "reset", status
end

local function listed(retries, cause, status)
  if cause == "status" then
    for _, wanted in ipairs(retries.statuses or {}) do
      if wanted == status then
        return true
      end
    end
    return false
  end
  if cause == "per_try" then
    return retries.per_try ~= nil
  end
  return retries[cause] == true
end

local function wanted(retries, cause, status)
  if cause == "connect" then
    return listed(retries, cause, status) -- nothing was sent, so the method does not matter
  end
  return (retries.unsafe or SAFE[ngx.req.get_method()] ~= nil) and listed(retries, cause, status)
end

local function within_budget(route, state)
  local share = route.retries.budget
  if not share then
    return true
  end
  local live, retrying = flights.value(LIVE .. route.service), flights.value(RETRYING .. route.service)
  if retrying >= math.max(FREE_RETRIES, share * live) then
    return false
  end
  if not state.retrying then
    flights.begin(RETRYING .. route.service)
    state.retrying = true
  end
  return true
end

-- Called before each further try. False ends the request with the failure of the last one. The tries are counted here
-- too, because nginx adds one of its own for every kept connection that turns out to be broken.
local function again(route, state)
  state.tries = state.tries + 1
  local cause, status = failure(state.tries)
  state.failed = status
  breaker.report(route, state.current, true)
  if state.tries > route.retries.attempts or not wanted(route.retries, cause, status) or not within_budget(route, state) then
    return false
  end
  local connect, read = bounds(route, state)
  if not connect then
    state.failed = 504
    return false
  end
  if not choose(route, state) then
    return false
  end
  local data = ngx.ctx.balancer_data
  data.connect_timeout, data.read_timeout = connect, read
  state.failed, state.attempts = nil, state.attempts + 1
  return true
end

-- Sends the request to `path` of the route's service. The type of the refusal when that cannot be.
function M.admit(route, state, path)
  state.tried, state.tries = {}, 0
  local connect, read = bounds(route, state)
  if not connect then
    return "timeout"
  end
  local endpoint = choose(route, state)
  if not endpoint then
    return "circuit-open"
  end
  kong.service.request.set_header("Host", host_header(route, endpoint))
  kong.service.request.set_path(path)
  kong.service.set_timeouts(connect, milliseconds(route.idle), read)
  ngx.ctx.balancer_data.send_timeout = milliseconds(route.idle) -- where Kong reads it, and does not write it
  kong.service.set_target_retry_callback(function()
    return again(route, state)
  end)
  flights.begin(LIVE .. route.service)
  state.live, state.attempts = true, 1
  return nil
end

-- What the last try came to, told once; a try that another one followed has been told before it.
function M.finished(route, state, failed)
  if not state.told and not state.failed then
    state.told = true
    breaker.report(route, state.current, failed)
  end
end

function M.done(route, state)
  if state.live then
    flights.finish(LIVE .. route.service)
  end
  if state.retrying then
    flights.finish(RETRYING .. route.service)
  end
end

return M
