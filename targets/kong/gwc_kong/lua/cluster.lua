-- Limits and budgets that all gateways count together, with the meaning that they have within one.

local budgets = require("kong.plugins.gwc.budget")
local limits = require("kong.plugins.gwc.limits")
local redis = require("kong.plugins.gwc.redis")

local M = {}

local PREFIX = "{gwc}:" -- the braces keep the keys of a script together where a Redis Cluster spreads keys

-- One token of each bucket, or none at all. A bucket is the time at which it will be full again, by the store's clock.
-- A thousandth of a token is forgiven: the sums are rounded. Answers: the limit that refuses or 0, the seconds to wait,
-- and the shadow limits that would have refused.
local TAKE = [[
local time = redis.call("TIME")
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local full, shadowed, worst, wait = {}, {}, 0, 0
for i, key in ipairs(KEYS) do
  local interval, burst = tonumber(ARGV[3 * i - 2]), tonumber(ARGV[3 * i - 1])
  local at = math.max(tonumber(redis.call("GET", key) or now), now) + interval
  local over = at - now - burst * interval
  if over <= interval / 1000 then
    full[#full + 1] = { key, at }
  elseif ARGV[3 * i] == "shadow" then
    shadowed[#shadowed + 1] = i
  elseif over > wait then
    worst, wait = i, over
  end
end
if worst == 0 then
  for _, entry in ipairs(full) do
    redis.call("SET", entry[1], string.format("%.17g", entry[2]), "PX", math.ceil((entry[2] - now) * 1000) + 1000)
  end
end
return { worst, string.format("%.17g", wait), unpack(shadowed) }
]]

local SPEND = [[
local used = tonumber(redis.call("GET", KEYS[1]) or 0)
if used + tonumber(ARGV[1]) > tonumber(ARGV[2]) then
  return 0
end
redis.call("INCRBY", KEYS[1], ARGV[1])
redis.call("EXPIRE", KEYS[1], ARGV[3])
return 1
]]

-- Once for each mark, however often it is asked to: an answer can be lost after the work was done.
local SETTLE = [[
if not redis.call("SET", KEYS[2], "1", "NX", "EX", ARGV[3]) then
  return 1
end
local used = math.max(0, tonumber(redis.call("GET", KEYS[1]) or 0) + tonumber(ARGV[1]))
redis.call("SET", KEYS[1], string.format("%d", used), "EX", ARGV[2])
return 1
]]
local SETTLES = 7 -- tries, the second after a second and each further one after twice the time: a minute in all
local MARKED = 120 -- seconds; longer than there are tries

-- What the policy wants of a request when the store does not answer for the limit or budget `id`.
local function unanswered(store, state, id)
  if store.on_failure == "deny" then
    state.limited_by = id
    return "unavailable", { ["Retry-After"] = "1" }
  end
end

local function enforced(list)
  for _, limit in ipairs(list) do
    if not limit.shadow then
      return limit
    end
  end
end

-- Whether this is what the script answers: whatever else calls itself a store must not let anything pass.
local function taken(answer, list)
  local worst = type(answer) == "table" and answer[1]
  return type(worst) == "number" and (worst == 0 or list[worst] ~= nil) and tonumber(answer[2]) ~= nil
end

-- Returns the kind of a refusal and its headers, or nothing.
function M.take(store, list, who, state)
  if #list == 0 then
    return nil
  end
  local keys, arguments = {}, {}
  for index, limit in ipairs(list) do
    keys[index] = PREFIX .. limits.bucket(limit, who)
    arguments[#arguments + 1] = string.format("%.17g", limit.period / limit.tokens)
    arguments[#arguments + 1] = limit.burst
    arguments[#arguments + 1] = limit.shadow and "shadow" or "enforce"
  end
  local answer = redis.run(store, TAKE, keys, arguments)
  if not taken(answer, list) then
    local limit = enforced(list)
    if limit then
      return unanswered(store, state, limit.id)
    end
    return nil
  end
  for index = 3, #answer do
    limits.shadow(state, list[answer[index]].id)
  end
  local worst = list[answer[1]]
  if worst then
    return "rate-limited", limits.refusal(worst, tonumber(answer[2]), state)
  end
end

-- Takes the route's cost. Returns the kind of a refusal and its headers, or nothing.
function M.spend(store, route, user, state)
  local charged, ends_in = budgets.charge(route, user)
  charged.key = PREFIX .. charged.key
  if route.cost > 0 then
    local answer = redis.run(store, SPEND, { charged.key }, { route.cost, route.budget.units, math.ceil(charged.ttl) })
    if answer == 0 then
      return "budget-exhausted", { ["Retry-After"] = tostring(math.max(1, math.ceil(ends_in))) }
    elseif answer ~= 1 then
      return unanswered(store, state, "budget")
    end
  end
  state.spent = charged
end

local function settle_after(seconds, store, change, tries)
  local ok, err = ngx.timer.at(seconds, function(premature)
    if redis.run(store, SETTLE, change.keys, change.arguments) == 1 then
      return
    end
    if tries > 1 and not premature then
      settle_after(math.max(1, 2 * seconds), store, change, tries - 1)
    else
      ngx.log(ngx.ERR, "gwc: the store did not take what a request has really cost")
    end
  end)
  if not ok then
    ngx.log(ngx.ERR, "gwc: a cost could not be settled: ", err)
  end
end

-- Corrects what was taken by what the service says. Later, because a phase with a response in its hands must not wait.
function M.settle(store, state, text)
  local charged, actual = state.spent, budgets.units(text)
  state.spent = nil
  if charged and actual and actual ~= charged.cost then
    local keys = { charged.key, PREFIX .. "settled:" .. ngx.var.request_id }
    settle_after(0, store, { keys = keys, arguments = { actual - charged.cost, math.ceil(charged.ttl), MARKED } }, SETTLES)
  end
end

return M
