-- Units per user in clock-aligned periods.

local counters = require("kong.plugins.gwc.counters")

local M = {}

-- What a request of `user` takes, and the seconds until the period ends.
function M.charge(route, user)
  ngx.update_time()
  local now, period = ngx.now(), route.budget.period
  local window = math.floor(now / period)
  local ends_in = (window + 1) * period - now
  local key = "budget:" .. route.service .. ":" .. window .. ":" .. ngx.md5(user)
  return { key = key, cost = route.cost, ttl = ends_in + period }, ends_in
end

-- The number of units that a header says, or nothing.
function M.units(text)
  return type(text) == "string" and #text <= 15 and string.find(text, "^%d+$") and tonumber(text) or nil
end

-- Takes the route's cost. Returns the seconds until units come back when they do not suffice, else nil.
function M.take(route, user, state)
  local budget, cost = route.budget, route.cost
  local charged, ends_in = M.charge(route, user)
  local dict, name = counters.zone("budget"), ngx.md5(charged.key)
  local spent, had = counters.alone(function()
    local used = dict:get(name) or 0
    if cost > 0 and used + cost > budget.units then
      return true
    end
    counters.write(dict, name, used + cost, charged.ttl)
    return false
  end)
  if spent or not had then
    return math.max(1, math.ceil(ends_in))
  end
  state.charged = charged
  return nil
end

-- The actual cost as the service says it; what is no number of units changes nothing.
function M.settle(state, text)
  local charged, actual = state.charged, M.units(text)
  if not charged or not actual or actual == charged.cost then
    return
  end
  state.charged = nil
  local dict, name = counters.zone("budget"), ngx.md5(charged.key)
  counters.alone(function()
    counters.write(dict, name, math.max(0, (dict:get(name) or 0) + actual - charged.cost), charged.ttl)
  end)
end

return M
