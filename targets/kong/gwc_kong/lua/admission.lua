-- Who may pass: the stages of admission, in their order. A refusal reaches nothing behind it. Each stage returns the type
-- of its refusal and what the answer carries with it, or nil.

local auth = require("kong.plugins.gwc.auth")
local body = require("kong.plugins.gwc.body")
local breaker = require("kong.plugins.gwc.breaker")
local budgets = require("kong.plugins.gwc.budget")
local concurrency = require("kong.plugins.gwc.concurrency")
local headers = require("kong.plugins.gwc.headers")
local limits = require("kong.plugins.gwc.limits")

local M = {}

local function check_request(conf, route)
  if headers.hides_own(conf, route.request_headers, route.cache and route.cache.headers) then
    return "bad-request"
  end
  if conf.gateway_secret_header and (conf.gateway_secret or "") == "" then
    kong.log.crit("gwc: the gateway secret is not set, so no request is forwarded")
    return "internal-error"
  end
end

-- `own` are this gateway's buckets, `shared` those of all gateways, behind them: the store is spared a flood.
local function take(conf, own, shared, who, state)
  local refusal = limits.take(own, who, state)
  if refusal then
    return "rate-limited", refusal
  end
  if shared then
    return state.cluster.take(conf.store, shared, who, state)
  end
end

function M.by_address(conf, route, state)
  return take(conf, route.limits_before, route.shared_before, { ip = limits.client(ngx.var.remote_addr) }, state)
end

local function check_identity(conf, route, state)
  if not route.auth then
    return
  end
  local user, refusal, known = auth.user(conf, route)
  if not user then
    state.user = known
    return refusal, refusal == "unauthorized" and { ["WWW-Authenticate"] = auth.challenge(route) } or nil
  end
  state.user = user
end

local function check_limits(conf, route, state)
  return take(conf, route.limits_after, route.shared_after, { user = state.user and state.user.bucket }, state)
end

local function check_body(_, route, state)
  return not state.upgrading and body.refusal(route) or nil
end

local function check_breaker(_, route, state)
  local seconds = breaker.closed_for(route)
  if seconds then
    state.limited_by = "breaker"
    return "circuit-open", { ["Retry-After"] = tostring(math.max(1, math.ceil(seconds))) }
  end
end

local function check_concurrency(_, route, state)
  local full = concurrency.enter(route.caps, state)
  if full then
    state.limited_by = full == "*" and "concurrency" or "upstream.concurrency"
    return "overloaded", { ["Retry-After"] = "1" }
  end
end

local function spend(conf, route, state)
  if route.budget.cluster then
    return state.cluster.spend(conf.store, route, state.user.bucket, state)
  end
  local seconds = budgets.take(route, state.user.bucket, state)
  if seconds then
    return "budget-exhausted", { ["Retry-After"] = tostring(seconds) }
  end
end

local function check_budget(conf, route, state)
  if not (route.budget and state.user) or state.renewal then
    return
  end
  local kind, extra = spend(conf, route, state)
  if kind == "budget-exhausted" then
    state.limited_by = "budget"
  end
  state.cost = (state.charged or state.spent) and route.cost or 0
  return kind, extra
end

-- To the gateway, and from there to the service. An answer that is kept needs the first only.
local ENTRY = {
  check_request,
  M.by_address, -- before authentication: a flood of bad tokens is limited
  check_identity,
  check_limits,
  check_body,
}
local PASSAGE = {
  check_breaker,
  check_concurrency, -- before the budget: what is refused costs nothing
  check_budget,
}

local function refusal(stages, conf, route, state)
  for _, stage in ipairs(stages) do
    local kind, extra = stage(conf, route, state)
    if kind then
      concurrency.leave(state)
      return kind, extra
    end
  end
end

function M.entry(conf, route, state)
  return refusal(ENTRY, conf, route, state)
end

function M.passage(conf, route, state)
  return refusal(PASSAGE, conf, route, state)
end

return M
