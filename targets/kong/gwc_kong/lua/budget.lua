-- Units per user in clock-aligned periods.

local counters = require("kong.plugins.gwc.counters")

local M = {}

-- Takes the route's cost. Returns the seconds until units come back when they do not suffice, else nil.
function M.take(route, user, state)
  local budget, cost = route.budget, route.cost
  ngx.update_time()
  local now = ngx.now()
  local window = math.floor(now / budget.period)
  local ends = (window + 1) * budget.period
  local key = "budget:" .. route.service .. ":" .. window .. ":" .. ngx.md5(user)
  local spent, had = counters.alone(function(dict)
    local used = dict:get(key) or 0
    if cost > 0 and used + cost > budget.units then
      return true
    end
    dict:set(key, used + cost, ends - now + budget.period)
    return false
  end)
  if spent or not had then
    return math.max(1, math.ceil(ends - now))
  end
  state.charged = { key = key, cost = cost, ttl = ends - now + budget.period }
  return nil
end

-- The actual cost as the service says it; what is no number of units changes nothing.
function M.settle(state, text)
  local charged = state.charged
  local actual = type(text) == "string" and #text <= 15 and string.find(text, "^%d+$") and tonumber(text)
  if not charged or not actual or actual == charged.cost then
    return
  end
  state.charged = nil
  counters.alone(function(dict)
    dict:set(charged.key, math.max(0, (dict:get(charged.key) or 0) + actual - charged.cost), charged.ttl)
  end)
end

return M
